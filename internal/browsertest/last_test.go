package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestLastEvent checks that a page is told why its stream ends, where it cannot
// come back to learn it. A browser forgets what it has not yet handed to the
// page when the connection breaks, so one round proves little.
func TestLastEvent(t *testing.T) {
	xmpp := startFake(t)
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	tab := startChromium(t)

	for _, c := range []struct {
		name        string
		end         func()
		event, data string
	}{
		{"the node is deleted", func() { xmpp.DeleteNode("news") }, "delete", "<delete node='news'/>"},
		{"access is taken away", func() { xmpp.SetAccessModel("news", "whitelist") },
			"subscription", "<subscription node='news' subscription='none'/>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := visit(t, tab, home.origin)
			for range 10 {
				xmpp.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true})
				p.follow("/eventsource/news", "{}")
				p.want("subscription", subscribed("news"))
				c.end()
				p.until("source.readyState === EventSource.CLOSED") // 403 or 404
				if do[int](p, "events.length") == 0 {
					t.Fatal("the page was not told why the stream ends")
				}
				p.want(c.event, c.data)
				do[chromedp.Void](p, "void (opens = 0, errors = [])")
				xmpp.DeleteNode("news")
			}
		})
	}
}
