package browsertest

import (
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// wantRefused wants the page to be refused: the source gave up, and was told
// nothing.
func (p *page) wantRefused() {
	p.t.Helper()
	p.until("errors.length > 0")
	if !do[bool](p, "errors.length === 1 && errors[0] === EventSource.CLOSED && opens === 0 && events.length === 0") {
		p.t.Errorf("the page is not refused for good, but says: %s", p.state())
	}
}

// TestRefused checks that a page which asks for what it cannot have is told so,
// and does not come back.
func TestRefused(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("private", xmpptest.NodeConfig{AccessModel: "whitelist"})
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://127.0.0.1")
	home.directives = writePage(t) + xmpp.directive("")
	streams.directives = xmpp.directive("")
	startCaddy(t, home, streams)
	tab := startChromium(t)

	for _, c := range []struct {
		name, node string
		status     int
	}{
		{"forbidden", "private", 403},
		{"not found", "nothing", 404},
		{"no name", "", 400},
	} {
		for _, site := range []*site{home, streams} {
			t.Run(c.name+" at "+site.origin, func(t *testing.T) {
				p := visit(t, tab, home.origin)
				url := site.origin + "/eventsource/" + c.node
				p.follow(url, "{}")
				p.wantRefused()
				// A script can see why, across origins, too.
				if got := do[int](p, "fetch("+quote(url)+").then(r => r.json()).then(problem => problem.status)"); got != c.status {
					t.Errorf("status %d, want %d", got, c.status)
				}
			})
		}
	}
}
