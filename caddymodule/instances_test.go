package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// startTwo starts two handlers that share nothing, as two instances do: one
// below /a/ and one below /b/.
func startTwo(t *testing.T, node xmpptest.NodeConfig) (*fake, *site) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", node)
	return f, startCaddy(t, f.directiveFor("gateway", "secret", "prefix /a/\nlinger 1ms")+"\n"+f.directiveFor("other", "other-secret", "prefix /b/\nlinger 1ms"))
}

// TestOtherInstance resumes where nobody has followed the node before.
func TestOtherInstance(t *testing.T) {
	publish := func(ids ...string) func(f *fake) {
		return func(f *fake) { f.publishAll("news", ids...) }
	}
	for name, tt := range map[string]struct {
		node   xmpptest.NodeConfig
		before []string
		during func(f *fake)
		want   func(stream *events)
	}{
		"nothing":             {before: []string{"1"}, during: publish(), want: func(*events) {}},
		"nothing was there":   {during: publish("1", "2"), want: func(s *events) { s.wantItems("1", "2") }},
		"published":           {before: []string{"1", "2"}, during: publish("3", "4"), want: func(s *events) { s.wantItems("3", "4") }},
		"the same once more":  {before: []string{"1", "2"}, during: publish("2"), want: func(*events) {}},
		"the oldest retained": {node: xmpptest.NodeConfig{MaxItems: 3}, before: []string{"1", "2"}, during: publish("3", "4"), want: func(s *events) { s.wantItems("3", "4") }},
		"overwritten": {
			before: []string{"1", "2", "3"},
			during: func(f *fake) {
				f.publishAll("news", "4")
				f.Publish("news", "3", payload("new"))
				f.Publish("news", "2", payload("new"))
			},
			want: func(s *events) {
				s.wantItems("4")
				s.wantItem("3", payload("new"))
				s.wantItem("2", payload("new"))
			},
		},
		"the only item overwritten": {
			before: []string{"now"},
			during: func(f *fake) { f.Publish("news", "now", payload("new")) },
			want:   func(s *events) { s.wantItem("now", payload("new")) },
		},
		"the last retracted": {
			before: []string{"1", "2", "3"},
			during: func(f *fake) { f.Retract("news", "3"); f.publishAll("news", "4") },
			want:   func(s *events) { s.wantItems("4") },
		},
		"overwritten in place, by now": {
			node:   xmpptest.NodeConfig{InPlace: true},
			before: []string{"1", "2", "3", "1"},
			during: publish("4"),
			want:   func(s *events) { s.wantItems("4") },
		},
		"more than is retained": {
			node:   xmpptest.NodeConfig{MaxItems: 2},
			before: []string{"1", "2"},
			during: publish("3", "4", "5"),
			want:   func(s *events) { s.wantGap("news", "expired"); s.wantItems("4", "5") },
		},
		"purged": {
			before: []string{"1", "2"},
			during: func(f *fake) { f.PurgeNode("news") },
			want:   func(s *events) { s.wantGap("news", "purged") },
		},
		"nothing retained": {
			node:   xmpptest.NodeConfig{Transient: true},
			before: []string{"1"},
			during: publish("2"),
			want:   func(s *events) { s.wantGap("news", "not-retained") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, site := startTwo(t, tt.node)
			first := site.stream("/a/news")
			at := first.wantSubscribed("news").id
			f.publishAll("news", tt.before...)
			if len(tt.before) > 0 {
				at = first.wantItems(tt.before...).id
			}
			first.close()
			f.wantSubscribers("news", 0)
			tt.during(f)
			for _, path := range []string{"/b/news", "/a/news"} { // which was forgotten
				resumed := site.stream(path, "Last-Event-ID", at)
				resumed.wantSubscribed("news")
				tt.want(resumed)
				f.publishAll("news", "end"+path[1:2])
				resumed.wantItems("end" + path[1:2])
				resumed.close()
				f.wantSubscribers("news", 0)
				f.Retract("news", "end"+path[1:2])
				if tt.node.MaxItems > 0 {
					return // something made place for the end
				}
			}
		})
	}
}

// TestHopping has a client that changes the instance at every event.
func TestHopping(t *testing.T) {
	f, site := startTwo(t, xmpptest.NodeConfig{})
	stays := []*events{site.stream("/a/news"), site.stream("/b/news")}
	at := stays[0].wantSubscribed("news").id
	stays[1].wantSubscribed("news")
	for i := range 50 {
		id := fmt.Sprint(i % 7)
		f.Publish("news", id, payload(i))
		hop := site.stream([]string{"/a/news", "/b/news"}[i%2], "Last-Event-ID", at)
		hop.wantSubscribed("news")
		at = hop.wantItem(id, payload(i)).id
		hop.close()
	}
	for _, stream := range stays {
		for i := range 50 {
			stream.wantItem(fmt.Sprint(i%7), payload(i))
		}
	}
}

// TestWhatIsRetainedOutlivesTheLog has items that were published long before
// all that the log has.
func TestWhatIsRetainedOutlivesTheLog(t *testing.T) {
	f, site := start(t, "history 5 1MiB\nreplay all", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.publishAll("news", "old")
	stream.wantItems("old")
	for i := range 20 {
		f.Publish("news", "now", payload(i))
		stream.wantItem("now", payload(i))
	}
	fresh := site.stream("/eventsource/news")
	fresh.wantSubscribed("news")
	fresh.wantItems("old")
	fresh.wantItem("now", payload(19))
	f.outage(func() {})
	f.session()
	f.publishAll("news", "end")
	stream.wantItems("end")
	fresh.wantItems("end")
	if strings.Contains(site.log(), "panic") {
		t.Error(site.log())
	}
}
