package browsertest

import (
	"context"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestHeldOpen opens a stream while there is no link to the XMPP server. It
// begins to flow when there is one, without the page coming back.
func TestHeldOpen(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	xmpp.SetRefusing(true)
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.until("opens === 1")
	xmpp.SetRefusing(false)
	p.want("subscription", subscribed("news"))
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
	p.until("opens === 1 && errors.length === 0")
}

// TestLinkLost cuts the link to the XMPP server. The page stays connected.
func TestLinkLost(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, end := range []func(*xmpptest.Session){
		(*xmpptest.Session).Reset,
		func(s *xmpptest.Session) { s.StreamError("system-shutdown", "") },
	} {
		session, err := xmpp.WaitSession(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.WaitReceived(ctx, "<subscribe"); err != nil {
			t.Fatal(err)
		}
		end(session)
	}
	session, err := xmpp.WaitSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.WaitReceived(ctx, "<subscribe"); err != nil {
		t.Fatal(err)
	}
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.until("events.some(e => e.name === 'message')")
	p.until("opens === 1 && errors.length === 0")
}
