package xmppclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// fakeServer runs an xmpptest server until the test ends, and returns it with
// a configuration that fits.
func fakeServer(t *testing.T, cfg xmpptest.Config) (*xmpptest.Server, xmppclient.Config) {
	t.Helper()
	cfg.Users = map[string]string{"gateway": "sesame"}
	srv, err := xmpptest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	account, err := xmppclient.ParseJID("gateway@" + srv.Domain())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(srv.CA())
	client := xmppclient.Config{Account: account, Password: "sesame", Server: srv.Addr(), Resource: "test", TLS: &tls.Config{RootCAs: pool}}
	if cfg.DirectTLS {
		client.Server = "xmpps://" + srv.Addr()
	}
	return srv, client
}

// wantUp logs in and makes one request.
func wantUp(t *testing.T, cfg xmppclient.Config, service string) {
	t.Helper()
	p := start(t, cfg)
	p.wantLink(t, xmppclient.Up)
	if _, err := p.Nodes(context.Background(), service); err != nil {
		t.Error(err)
	}
}

func TestMechanisms(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
		for version, maxTLS := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
			for way, direct := range map[string]bool{"STARTTLS": false, "direct TLS": true} {
				t.Run(mechanism+", "+version+", "+way, func(t *testing.T) {
					srv, cfg := fakeServer(t, xmpptest.Config{
						Mechanisms: []string{mechanism}, ChannelBindings: []string{"tls-exporter"}, MaxTLS: maxTLS, DirectTLS: direct,
					})
					wantUp(t, cfg, srv.Service())
				})
			}
		}
	}
}

// Without a word about tls-exporter the mechanisms with channel binding are
// left alone in TLS 1.3, as ejabberd 23.01 needs it.
func TestChannelBindingThatCannotWork(t *testing.T) {
	srv, cfg := fakeServer(t, xmpptest.Config{Mechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1"}})
	wantUp(t, cfg, srv.Service())
	_, cfg = fakeServer(t, xmpptest.Config{Mechanisms: []string{"SCRAM-SHA-256-PLUS"}})
	p := start(t, cfg)
	if err := p.wantLink(t, xmppclient.Rejected); !errors.Is(err, xmppclient.ErrRejected) {
		t.Error(err)
	}
}

func TestCertificates(t *testing.T) {
	for name, test := range map[string]struct {
		certName string
		change   func(*xmppclient.Config)
		want     string // part of the error, or "" if it should do
	}{
		"own authority":       {"", func(*xmppclient.Config) {}, ""},
		"unknown authority":   {"", func(cfg *xmppclient.Config) { cfg.TLS = nil }, "certificate signed by unknown authority"},
		"other authority":     {"", func(cfg *xmppclient.Config) { cfg.TLS.RootCAs = x509.NewCertPool() }, "certificate signed by unknown authority"},
		"no check":            {"", func(cfg *xmppclient.Config) { cfg.TLS = &tls.Config{InsecureSkipVerify: true} }, ""},
		"other name":          {"chat.example.org", func(*xmppclient.Config) {}, "valid for chat.example.org, not localhost"},
		"other name expected": {"chat.example.org", func(cfg *xmppclient.Config) { cfg.TLS.ServerName = "chat.example.org" }, ""},
		"old TLS allowed":     {"", func(cfg *xmppclient.Config) { cfg.TLS.MinVersion = tls.VersionTLS10 }, ""},
	} {
		for way, direct := range map[string]bool{"STARTTLS": false, "direct TLS": true} {
			t.Run(name+", "+way, func(t *testing.T) {
				srv, cfg := fakeServer(t, xmpptest.Config{CertName: test.certName, DirectTLS: direct})
				test.change(&cfg)
				if test.want == "" {
					wantUp(t, cfg, srv.Service())
					return
				}
				err := start(t, cfg).wantLink(t, xmppclient.Down)
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), srv.Addr()) {
					t.Errorf("%v does not tell %q", err, test.want)
				}
				if srv.Logins() != 0 {
					t.Error("the password was sent")
				}
			})
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	srv, cfg := fakeServer(t, xmpptest.Config{MaxTLS: tls.VersionTLS11})
	cfg.TLS.MinVersion = tls.VersionTLS10
	err := start(t, cfg).wantLink(t, xmppclient.Down)
	if err == nil || !strings.Contains(err.Error(), "protocol version") || srv.Logins() != 0 {
		t.Error(err)
	}
}

func TestWrongPassword(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
		_, cfg := fakeServer(t, xmpptest.Config{Mechanisms: []string{mechanism}})
		cfg.Password = "open"
		err := start(t, cfg).wantLink(t, xmppclient.Rejected)
		if !errors.Is(err, xmppclient.ErrRejected) || !strings.Contains(err.Error(), "not-authorized") || strings.Contains(err.Error(), "open") {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}

func TestRealLogin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		servertest.Options
		mechanism string // that ejabberd logs
	}{
		"newest":        {servertest.Options{}, "SCRAM-SHA-1"},
		"TLS 1.2":       {servertest.Options{MaxTLS12: true}, "SCRAM-SHA-1-PLUS"},
		"SCRAM-SHA-256": {servertest.Options{SCRAM256: true, MaxTLS12: true}, "SCRAM-SHA-256-PLUS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servertest.Each(t, test.Options, func(t *testing.T, s *servertest.Server) {
				cfg := serverConfig(t, s)
				for _, server := range []string{s.Addr(), "xmpp://" + s.Addr(), "xmpps://" + s.AddrTLS()} {
					cfg.Server = server
					wantUp(t, cfg, s.Service())
				}
				cfg.Password = "wrong"
				if err := start(t, cfg).wantLink(t, xmppclient.Rejected); !errors.Is(err, xmppclient.ErrRejected) {
					t.Error(err)
				}
				cfg.Password, cfg.TLS = s.Password("gateway"), nil
				if err := start(t, cfg).wantLink(t, xmppclient.Down); !strings.Contains(err.Error(), "unknown authority") {
					t.Error(err)
				}
				s.Stop() // and the log is complete
				if log := s.Log(); s.Name() == "ejabberd" && !strings.Contains(log, test.mechanism+" authentication for gateway@") {
					t.Errorf("ejabberd knows of no %s:\n%s", test.mechanism, log)
				}
			})
		})
	}
}
