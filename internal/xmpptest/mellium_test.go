package xmpptest

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

// TestMellium logs in with an implementation of the protocol which is not ours.
func TestMellium(t *testing.T) {
	all := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}
	for name, tc := range map[string]struct {
		cfg       Config
		mechanism sasl.Mechanism
	}{
		"SHA-256-PLUS, TLS 1.2": {Config{MaxTLS: tls.VersionTLS12}, sasl.ScramSha256Plus},
		"SHA-256-PLUS, TLS 1.3": {Config{}, sasl.ScramSha256Plus},
		"SHA-1-PLUS, TLS 1.2":   {Config{MaxTLS: tls.VersionTLS12}, sasl.ScramSha1Plus},
		"SHA-1-PLUS, direct":    {Config{DirectTLS: true}, sasl.ScramSha1Plus},
		"SHA-256":               {Config{}, sasl.ScramSha256},
		"SHA-1":                 {Config{}, sasl.ScramSha1},
		"PLAIN":                 {Config{}, sasl.Plain},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Mechanisms = all
			srv := start(t, tc.cfg)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s, err := xmpp.NewClientSession(ctx, jid.MustParse("alice@localhost/r"), melliumConn(t, srv), melliumFeatures(srv, "secret", tc.mechanism)...)
			if err != nil {
				t.Fatal(err)
			}
			// mellium.im/xmpp v0.23.0 sends an empty <resource/>, whatever it is given.
			if got := waitSession(t, srv).JID(); s.LocalAddr().String() != got || s.LocalAddr().Resourcepart() == "" {
				t.Errorf("client has %s, server %s", s.LocalAddr(), got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			s.Conn().Close()
		})
	}
}

func TestMelliumWrongPassword(t *testing.T) {
	srv := start(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := xmpp.NewClientSession(ctx, jid.MustParse("alice@localhost/r"), melliumConn(t, srv), melliumFeatures(srv, "wrong", sasl.ScramSha256)...)
	if err == nil || srv.Logins() != 1 || srv.Binds() != 0 {
		t.Errorf("got %v after %d logins and %d binds", err, srv.Logins(), srv.Binds())
	}
}

func melliumConn(t *testing.T, srv *Server) net.Conn {
	t.Helper()
	conn := dial(t, srv).conn
	if srv.cfg.DirectTLS {
		return tls.Client(conn, clientTLS(srv))
	}
	return conn
}

func melliumFeatures(srv *Server, password string, mechanism sasl.Mechanism) []xmpp.StreamFeature {
	features := []xmpp.StreamFeature{xmpp.SASL("", password, mechanism), xmpp.BindResource()}
	if srv.cfg.DirectTLS {
		return features
	}
	return append(features, xmpp.StartTLS(clientTLS(srv)))
}
