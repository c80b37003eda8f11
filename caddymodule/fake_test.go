package caddymodule_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// A fake is an XMPP server in this process, which can be told to misbehave.
type fake struct {
	*xmpptest.Server
	t  *testing.T
	ca string // a file
}

// startFake starts one with the account gateway. It ends with the test, after
// Caddy.
func startFake(t *testing.T, cfg xmpptest.Config) *fake {
	t.Helper()
	if cfg.Users == nil {
		cfg.Users = map[string]string{"gateway": "secret", "other": "other-secret"}
	}
	srv, err := xmpptest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	f := &fake{srv, t, filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(f.ca, srv.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// directive returns one for the server, with more options.
func (f *fake) directive(options string) string {
	return f.directiveFor("gateway", "secret", options)
}

func (f *fake) directiveFor(user, password, options string) string {
	return fmt.Sprintf(`pubsub_eventsource {
	jid %s@%s
	password %s
	server %s
	tls {
		ca %s
	}
	%s
}`, user, f.Domain(), password, f.Addr(), f.ca, options)
}

// session waits for the next session.
func (f *fake) session() *xmpptest.Session {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	s, err := f.WaitSession(ctx)
	if err != nil {
		f.t.Fatal("no session: ", err)
	}
	return s
}

// wantSubscribers waits until the node has so many.
func (f *fake) wantSubscribers(node string, n int) {
	f.t.Helper()
	wantSoon(f.t, fmt.Sprintf("node %q has %d subscribers", node, n), func() bool {
		return len(f.Subscribers(node)) == n
	})
}

func (f *fake) createTransient(node string) {
	f.CreateNode(node, xmpptest.NodeConfig{Transient: true})
}

// start starts a fake with the nodes, which are open, and Caddy with it.
func start(t *testing.T, options string, nodes ...string) (*fake, *site) {
	t.Helper()
	f := startFake(t, xmpptest.Config{})
	for _, node := range nodes {
		f.CreateNode(node, xmpptest.NodeConfig{})
	}
	return f, startCaddy(t, f.directive(options))
}
