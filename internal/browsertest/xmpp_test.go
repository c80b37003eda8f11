package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// directive returns the directive for an account of an XMPP server.
func directive(domain, password, addr, ca, options string) string {
	return fmt.Sprintf(`pubsub_eventsource {
	jid gateway@%s
	password %s
	server %s
	tls {
		ca %s
	}
	retry 100ms
	%s
}
`, domain, password, addr, ca, options)
}

// A prosody is one with somebody logged in to publish.
type prosody struct {
	*servertest.Server
	*servertest.Client
	t *testing.T
}

func startProsody(t *testing.T) prosody {
	t.Helper()
	s := servertest.Prosody(t, servertest.Options{})
	return prosody{s, s.Admin(t), t}
}

func (p prosody) directive(options string) string {
	return directive(p.Domain(), p.Password("gateway"), p.Addr(), p.CAFile(), options)
}

func (p prosody) create(node string, config map[string]string) {
	p.t.Helper()
	if err := p.CreateNode(node, config); err != nil {
		p.t.Fatalf("creating node %q: %v", node, err)
	}
}

func (p prosody) publish(node, id, payload string) {
	p.t.Helper()
	if err := p.Publish(node, id, payload); err != nil {
		p.t.Fatalf("publishing %q at node %q: %v", id, node, err)
	}
}

// A fake is an XMPP server in this process.
type fake struct {
	*xmpptest.Server
	ca string
}

func startFake(t *testing.T) fake {
	t.Helper()
	s, err := xmpptest.Start(xmpptest.Config{Users: map[string]string{"gateway": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return fake{s, ca}
}

func (f fake) directive(options string) string {
	return directive(f.Domain(), "secret", f.Addr(), f.ca, options)
}

// subscribed is the data of the event that begins a stream.
func subscribed(node string) string {
	return "<subscription node='" + node + "' subscription='subscribed'/>"
}

// item is the data of an item's event.
func item(id, payload string) string {
	return "<item xmlns='http://jabber.org/protocol/pubsub' id='" + id + "'>" + payload + "</item>"
}
