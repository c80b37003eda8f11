package caddymodule_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// outage has the link break for as long as during takes, without a way to
// resume the session.
func (f *fake) outage(during func()) {
	f.t.Helper()
	f.SetRefusing(true)
	f.session().Reset()
	during()
	f.SetRefusing(false)
}

func payload(s any) string { return fmt.Sprintf("<a xmlns='urn:x'>%v</a>", s) }

func (f *fake) publishAll(node string, ids ...string) {
	for _, id := range ids {
		f.Publish(node, id, payload(id))
	}
}

func (e *events) wantItems(ids ...string) (last event) {
	e.t.Helper()
	for _, id := range ids {
		last = e.wantItem(id, payload(id))
	}
	return last
}

func (e *events) wantRetract(id string) {
	e.t.Helper()
	e.want("retract", "<retract id='"+id+"'/>")
}

// TestMissed has a link that is down while things happen.
func TestMissed(t *testing.T) {
	for name, tt := range map[string]struct {
		node   xmpptest.NodeConfig
		before []string
		during func(f *fake)
		want   func(stream *events)
	}{
		"nothing": {
			before: []string{"1", "2"},
			during: func(*fake) {},
			want:   func(*events) {},
		},
		"published": {
			before: []string{"1"},
			during: func(f *fake) { f.publishAll("news", "2", "3") },
			want:   func(s *events) { s.wantItems("2", "3") },
		},
		"published where nothing was": {
			during: func(f *fake) { f.publishAll("news", "1", "2") },
			want:   func(s *events) { s.wantItems("1", "2") },
		},
		"overwritten": {
			before: []string{"1", "2", "3"},
			during: func(f *fake) { f.Publish("news", "2", payload("new")) },
			want:   func(s *events) { s.wantItem("2", payload("new")) },
		},
		"overwritten in place": {
			node:   xmpptest.NodeConfig{InPlace: true},
			before: []string{"1", "2", "3"},
			during: func(f *fake) { f.Publish("news", "1", payload("new")); f.publishAll("news", "4") },
			want:   func(s *events) { s.wantItem("1", payload("new")); s.wantItems("4") },
		},
		"the only item overwritten": {
			before: []string{"now"},
			during: func(f *fake) { f.Publish("news", "now", payload("new")) },
			want:   func(s *events) { s.wantItem("now", payload("new")) },
		},
		"all overwritten": {
			before: []string{"1", "2", "3"},
			during: func(f *fake) {
				for _, id := range []string{"2", "3", "1"} {
					f.Publish("news", id, payload(id+"new"))
				}
			},
			want: func(s *events) {
				for _, id := range []string{"2", "3", "1"} {
					s.wantItem(id, payload(id+"new"))
				}
			},
		},
		"retracted": {
			before: []string{"1", "2", "3", "4"},
			during: func(f *fake) { f.Retract("news", "1"); f.Retract("news", "3"); f.publishAll("news", "5") },
			want:   func(s *events) { s.wantRetract("1"); s.wantRetract("3"); s.wantItems("5") },
		},
		"the only item retracted": {
			before: []string{"1"},
			during: func(f *fake) { f.Retract("news", "1") },
			want:   func(s *events) { s.wantRetract("1") },
		},
		"purged": {
			before: []string{"1", "2"},
			during: func(f *fake) { f.PurgeNode("news") },
			want:   func(s *events) { s.wantGap("news", "purged"); s.want("purge", "<purge node='news'/>") },
		},
		"as much as is retained": {
			node:   xmpptest.NodeConfig{MaxItems: 5},
			before: []string{"1", "2", "3", "4", "5"},
			during: func(f *fake) { f.publishAll("news", "6", "7", "8", "9") },
			want: func(s *events) {
				for _, id := range []string{"1", "2", "3", "4"} {
					s.wantRetract(id) // or evicted, which is the same to who looks later
				}
				s.wantItems("6", "7", "8", "9")
			},
		},
		"more than is retained": {
			node:   xmpptest.NodeConfig{MaxItems: 5},
			before: []string{"1", "2", "3", "4", "5"},
			during: func(f *fake) { f.publishAll("news", "6", "7", "8", "9", "10", "11", "12") },
			want:   func(s *events) { s.wantGap("news", "expired"); s.wantItems("8", "9", "10", "11", "12") },
		},
		"nothing retained": {
			node:   xmpptest.NodeConfig{Transient: true},
			before: []string{"1"},
			during: func(f *fake) { f.publishAll("news", "2") },
			want:   func(s *events) { s.wantGap("news", "not-retained") },
		},
		"the last item is sent again, late": {
			node:   xmpptest.NodeConfig{SendLastBeforeResult: true},
			before: []string{"1", "2"},
			during: func(*fake) {},
			want:   func(*events) {},
		},
		"the last item is sent again, as if it were new": {
			node:   xmpptest.NodeConfig{SendLast: true},
			before: []string{"1", "2"},
			during: func(f *fake) { f.publishAll("news", "3") },
			want:   func(s *events) { s.wantItems("3") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, xmpptest.Config{})
			f.CreateNode("news", tt.node)
			site := startCaddy(t, f.directive(""))
			stream := site.stream("/eventsource/news")
			stream.wantSubscribed("news")
			f.publishAll("news", tt.before...)
			stream.wantItems(tt.before...)
			f.outage(func() { tt.during(f) })
			tt.want(stream)
			f.session()
			f.wantSubscribers("news", 1)
			late := site.stream("/eventsource/news") // is not there before the node is reconciled
			late.wantSubscribed("news")
			f.publishAll("news", "end")
			stream.wantItems("end")
			late.wantItems("end")
		})
	}
}

// TestMissedWhileEventsCome has events of the new session before the service
// said what it retains: they come after what was missed.
func TestMissedWhileEventsCome(t *testing.T) {
	var f *fake
	asked := make(chan struct{}, 1)
	release := make(chan struct{})
	f = startFake(t, xmpptest.Config{OnIQ: func(_ *xmpptest.Session, iq xmpptest.IQ) bool {
		if f.Binds() == 2 && isSubscribe(iq) {
			asked <- struct{}{}
			<-release
		}
		return false
	}})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive("nodes *"))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.publishAll("news", "1", "2", "3")
	stream.wantItems("1", "2", "3")
	f.outage(func() { f.publishAll("news", "missed"); f.Retract("news", "1") })
	<-asked
	f.publishAll("news", "4")
	f.Publish("news", "4", payload("again"))
	f.Retract("news", "2")
	close(release)
	stream.wantRetract("1")
	stream.wantItems("missed", "4")
	stream.wantItem("4", payload("again"))
	stream.wantRetract("2")
	f.publishAll("news", "5")
	stream.wantItems("5")
}

// TestDelayedEvent has one that comes late without anything before it: the
// service is asked.
func TestDelayedEvent(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.publishAll("news", "1")
	stream.wantItems("1")
	late := func(id string) string {
		return "<message from='pubsub.localhost'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='news'><item id='" + id + "'>" +
			payload(id) + "</item></items></event><delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/></message>"
	}
	session := f.session()
	must(t, session.Send(late("1")))
	must(t, session.Send(late("2"))) // which the service does not have
	f.publishAll("news", "3")
	stream.wantItems("3")
	if n := strings.Count(strings.Join(session.Received(), ""), "<items node='news'"); n != 2 {
		t.Errorf("the service was asked %d times for its items, want 2", n)
	}
}

// TestResumedSession has links that break while the server goes on with the
// session: nothing is missed, although nothing is retained.
func TestResumedSession(t *testing.T) {
	f := startFake(t, xmpptest.Config{StreamManagement: xmpptest.StreamManagement{Offered: true}})
	f.createTransient("news")
	f.CreateNode("kept", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive(""))
	stream, kept := site.stream("/eventsource/news"), site.stream("/eventsource/kept")
	stream.wantSubscribed("news")
	kept.wantSubscribed("kept")
	for i := range 5 {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		f.publishAll("news", a)
		stream.wantItems(a)
		f.outage(func() {
			f.publishAll("news", b, a, b)
			f.publishAll("kept", a, b)
			f.Retract("kept", a)
			f.publishAll("kept", b)
		})
		stream.wantItems(b, a, b)
		kept.wantItems(a, b)
		kept.wantRetract(a)
		kept.wantItems(b)
	}
	if f.Resumes() != 5 || f.Binds() != 1 {
		t.Errorf("%d sessions were resumed and %d bound", f.Resumes(), f.Binds())
	}
	f.outage(func() { f.ForgetSessions(); f.publishAll("news", "lost") })
	stream.wantGap("news", "not-retained")
	f.publishAll("news", "end")
	stream.wantItems("end")
}

// TestRecreated has a node that is deleted, and made again.
func TestRecreated(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.publishAll("news", "1", "2")
	at := stream.wantItems("1", "2").id
	f.DeleteNode("news")
	stream.want("delete", "<delete node='news'/>")
	stream.wantOver()
	site.wantProblem("/eventsource/news", 404, "news", "item-not-found")
	f.CreateNode("news", xmpptest.NodeConfig{})
	f.publishAll("news", "3")
	again := site.stream("/eventsource/news", "Last-Event-ID", at)
	again.wantSubscribed("news")
	again.wantGap("news", "recreated")
	again.wantItems("3")
}

// TestItemsOfBefore has a service that says what it retains as it was when it
// was asked, after it told of what happened since.
func TestItemsOfBefore(t *testing.T) {
	var stale atomic.Bool
	round := 0 // of what the service has
	var f *fake
	f = startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !strings.Contains(iq.Raw, "<items ") || !stale.Swap(false) {
			return false
		}
		var items strings.Builder
		for _, item := range f.Items("news") {
			items.WriteString("<item id='" + item.ID + "'>" + item.Payload + "</item>")
		}
		f.publishAll("news", fmt.Sprint("new", round))
		f.Publish("news", "2", payload(-round))
		f.Retract("news", "1")
		s.Reply(iq, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='news'>"+items.String()+"</items></pubsub>")
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true})
	site := startCaddy(t, f.directive(""))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.publishAll("news", "1", "2", "3")
	stream.wantItems("1", "2", "3")
	for _, ask := range []func(){
		func() { f.SetAccessModel("news", "open") }, // which makes us ask
		func() {
			f.outage(func() { f.publishAll("news", "missed") })
			stream.wantItems("missed")
		},
	} {
		round++
		stale.Store(true)
		ask()
		stream.wantItems(fmt.Sprint("new", round))
		stream.wantItem("2", payload(-round))
		stream.wantRetract("1")
		wantSoon(t, "the answer was sent", func() bool { return !stale.Load() })
		f.publishAll("news", "1", "2", "3")
		stream.wantItems("1", "2", "3")
	}
}

// TestHistoryOfLessThanIsRetained asks for no more than is kept, and takes
// nothing older for new.
func TestHistoryOfLessThanIsRetained(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	f.publishAll("news", "1", "2", "3", "4", "5", "6", "7", "8")
	site := startCaddy(t, f.directive("history 5\nreplay all"))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	stream.wantItems("4", "5", "6", "7", "8")
	f.outage(func() { f.Retract("news", "8"); f.publishAll("news", "9") })
	stream.wantRetract("8")
	stream.wantItems("9")
	f.publishAll("news", "10")
	stream.wantItems("10")
}
