package browsertest

import (
	"strconv"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestReload replaces the config while items are published all the time. The
// page's stream ends, and the next one goes on where it ended.
func TestReload(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home := newSite(t, "http://localhost")
	pages := writePage(t)
	home.directives = pages + xmpp.directive("")
	caddy := startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))

	stop, published := make(chan struct{}), make(chan int)
	go func() { published <- publishUntil(stop, xmpp) }() // joined below
	home.directives = pages + xmpp.directive("heartbeat 14s")
	caddy.load(home)
	p.until("opens === 2 && events.some(e => e.name === 'subscription')")
	close(stop)
	n := <-published

	p.until("events.filter(e => e.name === 'message').length >= " + strconv.Itoa(n))
	events := do[[]event](p, "events")
	last := 0
	for _, ev := range events {
		if ev.Name == "subscription" {
			continue
		}
		last++
		if want := item(strconv.Itoa(last), "<x xmlns='urn:x'/>"); ev.Name != "message" || ev.Data != want {
			t.Fatalf("event %q with %s, want %s", ev.Name, ev.Data, want)
		}
	}
	if last != n || len(events) != n+1 {
		t.Errorf("%d events with %d items, want the %d that were published, and a subscription", len(events), last, n)
	}
}

// publishUntil publishes items whose ids are the numbers from 1, and returns how
// many.
func publishUntil(stop <-chan struct{}, xmpp fake) int {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for n := 1; ; n++ {
		xmpp.Publish("news", strconv.Itoa(n), "<x xmlns='urn:x'/>")
		select {
		case <-pace.C:
		case <-stop:
			return n
		}
	}
}
