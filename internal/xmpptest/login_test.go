package xmpptest

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	srv := start(t, Config{})
	c := dial(t, srv)
	c.startTLS()
	if features := c.open().String(); !strings.Contains(features, "<mechanism>SCRAM-SHA-256</mechanism>") || strings.Contains(features, "PLUS") {
		t.Errorf("offered %s", features)
	}
	for message, want := range map[string]string{
		"\x00alice\x00wrong":               "not-authorized",
		"\x00mallory\x00secret":            "not-authorized",
		"alice":                            "malformed-request",
		"bob@localhost\x00alice\x00secret": "invalid-authzid",
	} {
		if el := c.auth("PLAIN", message); el.XMLName.Local != "failure" || el.Child(want).XMLName.Local != want {
			t.Errorf("%q: got %s, want %s", message, el, want)
		}
	}
	if el := c.auth("OTHER", "x"); el.Child("invalid-mechanism").XMLName.Local == "" {
		t.Errorf("got %s", el)
	}
	if el := c.auth("PLAIN", "alice@localhost\x00alice\x00secret"); el.XMLName.Local != "success" {
		t.Fatalf("got %s", el)
	}
	c.open()
	c.bind("r")
	if s := waitSession(t, srv); s.JID() != "alice@localhost/r" {
		t.Errorf("bound %s", s.JID())
	}
	if srv.Accepted() != 1 || srv.Logins() != 6 || srv.Binds() != 1 {
		t.Errorf("counted %d connections, %d logins, %d binds", srv.Accepted(), srv.Logins(), srv.Binds())
	}
}

func TestScram(t *testing.T) {
	withPlus := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}
	exported := func(c *client) string {
		state := c.conn.(*tls.Conn).ConnectionState()
		key, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err != nil {
			c.t.Fatal(err)
		}
		return string(key)
	}
	none := func(*client) string { return "" }
	for name, tc := range map[string]struct {
		offered         []string
		mechanism       string
		header          string
		binding         func(*client) string
		password        string
		wantLocal, want string
	}{
		"right":             {nil, "SCRAM-SHA-256", "n,,", none, "secret", "success", ""},
		"wrong":             {nil, "SCRAM-SHA-256", "n,,", none, "wrong", "failure", "not-authorized"},
		"identity":          {nil, "SCRAM-SHA-256", "n,a=alice@localhost,", none, "secret", "success", ""},
		"other identity":    {nil, "SCRAM-SHA-256", "n,a=bob@localhost,", none, "secret", "failure", "invalid-authzid"},
		"y, none offered":   {nil, "SCRAM-SHA-256", "y,,", none, "secret", "success", ""},
		"y, one offered":    {withPlus, "SCRAM-SHA-256", "y,,", none, "secret", "failure", "not-authorized"},
		"n, one offered":    {withPlus, "SCRAM-SHA-256", "n,,", none, "secret", "success", ""},
		"p without plus":    {nil, "SCRAM-SHA-256", "p=tls-exporter,,", exported, "secret", "failure", "not-authorized"},
		"plus":              {withPlus, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", exported, "secret", "success", ""},
		"plus, other":       {withPlus, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", none, "secret", "failure", "not-authorized"},
		"plus, n":           {withPlus, "SCRAM-SHA-256-PLUS", "n,,", none, "secret", "failure", "not-authorized"},
		"plus, wrong kind":  {withPlus, "SCRAM-SHA-256-PLUS", "p=tls-unique,,", none, "secret", "failure", "not-authorized"},
		"plus, not offered": {nil, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", exported, "secret", "failure", "invalid-mechanism"},
		"malformed":         {nil, "SCRAM-SHA-256", "n,", none, "secret", "failure", "malformed-request"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, start(t, Config{Mechanisms: tc.offered}))
			c.startTLS()
			c.open()
			el := c.scram(tc.mechanism, tc.header, tc.binding(c), tc.password)
			if el.XMLName.Local != tc.wantLocal || !strings.Contains(el.String(), tc.want) {
				t.Errorf("got %s, want %s %s", el, tc.wantLocal, tc.want)
			}
		})
	}
}

func TestDirectTLS(t *testing.T) {
	srv := start(t, Config{DirectTLS: true})
	c := dial(t, srv)
	cfg := clientTLS(srv)
	cfg.NextProtos = []string{"xmpp-client"}
	conn := tls.Client(c.conn, cfg)
	c.conn = conn
	c.open()
	if p := conn.ConnectionState().NegotiatedProtocol; p != "xmpp-client" {
		t.Errorf("negotiated %q", p)
	}
	if el := c.auth("PLAIN", "\x00alice\x00secret"); el.XMLName.Local != "success" {
		t.Fatalf("got %s", el)
	}
	c.open()
	c.bind("r")
}

func TestNoTLS(t *testing.T) {
	c := dial(t, start(t, Config{NoTLS: true}))
	if features := c.open().String(); strings.Contains(features, "starttls") || !strings.Contains(features, "PLAIN") {
		t.Errorf("offered %s", features)
	}
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	c.want("<failure")
}

func TestUnknownHost(t *testing.T) {
	srv := start(t, Config{})
	c := dial(t, srv)
	c.srv = &Server{cfg: Config{Domain: "elsewhere.example"}}
	if el := c.open(); el.XMLName.Local != "error" || el.Child("host-unknown").XMLName.Local == "" {
		t.Errorf("got %s", el)
	}
}

func TestSetPassword(t *testing.T) {
	srv := start(t, Config{Users: map[string]string{}})
	srv.SetPassword("carol", "one")
	loginAs(t, srv, "carol", "one", "r")
}
