package browsertest

import (
	"net/url"
	"strconv"
	"testing"
)

// TestPolyfills follows nodes with what stands in for EventSource in old pages.
func TestPolyfills(t *testing.T) {
	modules := npmInstall(t, "event-source-polyfill@1.0.31", "eventsource-polyfill@0.9.6")
	xmpp := startProsody(t)
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://127.0.0.1")
	tab := startChromium(t)
	caddy := startCaddy(t, streams)

	for _, polyfill := range []struct {
		name, script string
		reconnects   bool
	}{
		// Yaffle's reads a stream, and resumes with a query parameter.
		{"event-source-polyfill", readFile(t, modules, "event-source-polyfill", "src", "eventsource.js"), true},
		// AmvTek's polls. A poll that breaks is its last.
		{"eventsource-polyfill", readFile(t, modules, "eventsource-polyfill", "dist", "eventsource.js"), false},
	} {
		home.directives = writePage(t, polyfill.script) + xmpp.directive("")
		streams.directives = xmpp.directive("")
		caddy.load(home, streams)

		t.Run(polyfill.name, func(t *testing.T) {
			for _, at := range []*site{home, streams} {
				t.Run("at "+at.origin, func(t *testing.T) {
					node := polyfill.name + at.origin
					xmpp.create(node, nil)
					p := visit(t, tab, home.origin)
					p.wantPolyfill()
					p.follow(at.origin+"/eventsource/"+url.PathEscape(node), "{}")
					p.want("subscription", subscribed(node))
					p.wantItems(node, xmpp, 40)
				})
			}
			if polyfill.reconnects {
				t.Run("reconnect", func(t *testing.T) {
					xmpp.create("reconnect", nil)
					net := startRelay(t, home)
					p := visit(t, tab, home.origin)
					p.follow(net.origin+"/eventsource/reconnect", "{}")
					p.want("subscription", subscribed("reconnect"))
					p.wantResume(net, "reconnect", xmpp)
				})
			}
		})
	}
}

// wantPolyfill makes sure that it is the polyfill which is tested.
func (p *page) wantPolyfill() {
	p.t.Helper()
	if do[bool](p, "/native code/.test(EventSource)") {
		p.t.Fatal("the page has the EventSource of the browser")
	}
}

// wantItems publishes n items one after the other, and wants the page to be told
// all of them in order.
func (p *page) wantItems(node string, xmpp prosody, n int) {
	p.t.Helper()
	for i := range n {
		xmpp.publish(node, strconv.Itoa(i), "<x xmlns='urn:x'/>")
	}
	ids := map[string]bool{}
	for i := range n {
		ev := p.want("message", item(strconv.Itoa(i), "<x xmlns='urn:x'/>"))
		if ids[ev.ID] {
			p.t.Errorf("the event id %q comes twice", ev.ID)
		}
		ids[ev.ID] = true
	}
}
