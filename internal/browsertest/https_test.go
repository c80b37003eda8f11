package browsertest

import (
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestManyStreams opens more streams than a browser has HTTP/1.1 connections
// for: by HTTP/2 they all flow, and the page can still load other things.
func TestManyStreams(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home := newSite(t, "https://localhost")
	home.directives = tlsDirective(t) + writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)

	do[bool](p, `(async function () {
		window.sources = Array.from({length: 20}, () => new EventSource('/eventsource/news'));
		const all = name => Promise.all(sources.map(s => new Promise(done => s.addEventListener(name, done, {once: true}))));
		window.messages = all('message');
		await all('subscription');
		return true;
	})()`)
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	want := item("1", "<x xmlns='urn:x'/>")
	if !do[bool](p, "messages.then(all => all.every(e => e.data === "+quote(want)+"))") {
		t.Errorf("not all streams were told %s", want)
	}
	if got := do[string](p, "fetch('/page').then(() => performance.getEntriesByType('resource').at(-1).nextHopProtocol)"); got != "h2" {
		t.Errorf("the protocol is %q, want HTTP/2", got)
	}
}

// TestCrossSiteCookie follows a node of another site, with the cookie of that
// site, as a page of another owner does. Chromium keeps it apart for each page's
// site, or not at all.
func TestCrossSiteCookie(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home, streams := newSite(t, "https://app.localhost"), newSite(t, "https://push.localhost")
	home.directives = tlsDirective(t) + writePage(t)
	streams.directives = tlsDirective(t) + cookieSite("SameSite=None; Secure; Partitioned") + xmpp.directive("cors "+home.origin)
	startCaddy(t, home, streams)
	p := visit(t, startChromium(t), home.origin)
	p.getCookie(streams)
	p.follow(streams.origin+"/eventsource/news", "{withCredentials: true}")
	p.want("subscription", subscribed("news"))
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
}
