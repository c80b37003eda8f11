package browsertest

import (
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestCrossOrigin follows a node of another host and port, which any page may
// by default, but not with credentials.
func TestCrossOrigin(t *testing.T) {
	xmpp := startProsody(t)
	xmpp.create("news", nil)
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://127.0.0.1")
	home.directives = writePage(t)
	streams.directives = xmpp.directive("")
	startCaddy(t, home, streams)
	tab := startChromium(t)

	p := visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))
	xmpp.publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))

	p = visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{withCredentials: true}")
	p.wantRefused()
}

// TestListedOrigins checks who may read where origins are listed.
func TestListedOrigins(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	listed, below := newSite(t, "http://localhost"), newSite(t, "http://a.b.localhost")
	other, domain := newSite(t, "http://127.0.0.1"), newSite(t, "http://b.localhost")
	streams := newSite(t, "http://localhost")
	for _, s := range []*site{listed, below, other, domain} {
		s.directives = writePage(t)
	}
	streams.directives = xmpp.directive("cors " + listed.origin + " http://*.b.localhost" + port(below))
	startCaddy(t, listed, below, other, domain, streams)
	tab := startChromium(t)

	for _, c := range []struct {
		name    string
		page    *site
		allowed bool
	}{
		{"listed", listed, true},
		{"below a listed domain", below, true},
		{"the domain itself", domain, false},
		{"not listed", other, false},
	} {
		for _, options := range []string{"{withCredentials: true}", "{}"} {
			t.Run(c.name+" "+options, func(t *testing.T) {
				p := visit(t, tab, c.page.origin)
				p.follow(streams.origin+"/eventsource/news", options)
				if c.allowed {
					p.want("subscription", subscribed("news"))
				} else {
					p.wantRefused()
				}
			})
		}
	}
}
