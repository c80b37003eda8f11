package browsertest

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// read makes the page read an event stream by fetch.
func (p *page) read(url, lastEventID, credentials string) {
	p.t.Helper()
	do[chromedp.Void](p, "void read("+quote(url)+", "+quote(lastEventID)+", "+quote(credentials)+
		").catch(e => { errors.push(String(e)); changed(); })")
}

// TestFetch reads a stream of another origin by fetch, which asks by a preflight
// whether it may say where it was.
func TestFetch(t *testing.T) {
	xmpp := startProsody(t)
	xmpp.create("news", nil)
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://127.0.0.1")
	home.directives = writePage(t)
	streams.directives = xmpp.directive("")
	startCaddy(t, home, streams)
	p := visit(t, startChromium(t), home.origin)
	url := streams.origin + "/eventsource/news"

	p.read(url, "", "omit")
	p.want("subscription", subscribed("news"))
	xmpp.publish("news", "1", "<x xmlns='urn:x'/>")
	at := p.want("message", item("1", "<x xmlns='urn:x'/>"))
	do[chromedp.Void](p, "stop()")
	p.until("errors.length === 1") // AbortError

	for i := 2; i < 6; i++ {
		xmpp.publish("news", strconv.Itoa(i), "<x xmlns='urn:x'/>")
	}
	p.read(url, at.ID, "omit")
	p.want("subscription", subscribed("news"))
	for i := 2; i < 6; i++ {
		p.want("message", item(strconv.Itoa(i), "<x xmlns='urn:x'/>"))
	}
}

// TestFetchCredentials does it at a site with passwords, which has to let the
// preflight pass: a browser never sends credentials with it.
func TestFetchCredentials(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://localhost")
	home.directives = writePage(t)
	streams.directives = "@asks not method OPTIONS\nbasic_auth @asks " + basicAuth +
		xmpp.directive("cors "+home.origin) + "respond hello\n"
	startCaddy(t, home, streams)
	tab := startChromium(t)
	login(t, tab, streams)
	p := visit(t, tab, home.origin)
	url := streams.origin + "/eventsource/news"

	p.read(url, "", "include")
	at := p.want("subscription", subscribed("news"))
	do[chromedp.Void](p, "stop()")
	p.until("errors.length === 1")
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.read(url, at.ID, "include")
	p.want("subscription", subscribed("news"))
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
}
