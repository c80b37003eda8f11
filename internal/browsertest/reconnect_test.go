package browsertest

import (
	"strconv"
	"testing"
)

// TestReconnect cuts the connection of a page, which comes back on its own and
// misses nothing.
func TestReconnect(t *testing.T) {
	xmpp := startProsody(t)
	xmpp.create("news", nil)
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	net := startRelay(t, home)
	p := visit(t, startChromium(t), net.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))
	p.wantResume(net, "news", xmpp)
}

// wantResume cuts the connection once when the page has seen nothing but the
// beginning of the stream, and once when it has seen items. What is published
// meanwhile has to come when the network is back.
func (p *page) wantResume(net *relay, node string, xmpp prosody) {
	p.t.Helper()
	const payload = "<x xmlns='urn:x'/>"
	next := 1
	for range 2 {
		net.cut()
		p.until("errors.length > 0")
		from := next
		for ; next < from+5; next++ {
			xmpp.publish(node, strconv.Itoa(next), payload)
		}
		do[bool](p, "(errors = [], true)")
		net.mend()
		p.want("subscription", subscribed(node))
		for ; from < next; from++ {
			p.want("message", item(strconv.Itoa(from), payload))
		}
		xmpp.publish(node, strconv.Itoa(next), payload)
		p.want("message", item(strconv.Itoa(next), payload))
		next++
	}
}
