package xmppclient

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEvents(t *testing.T) {
	const a = "<a xmlns='urn:a'/>"
	stamp := time.Date(2026, 11, 22, 12, 36, 54, 383661000, time.UTC)
	for name, test := range map[string]struct {
		event string // what is in the event
		more  string // what is beside it
		want  []Event
	}{
		"item":          {"<items node='news'><item id='1' publisher='a@b/c'>" + a + "</item></items>", "", []Event{{Kind: Published, Item: Item{ID: "1", Publisher: "a@b/c", Payload: a}}}},
		"inherited":     {"<items node='news'><item><a/></item></items>", "", []Event{{Kind: Published, Item: Item{Payload: "<a xmlns='" + nsPubSub + "'/>"}}}},
		"no payload":    {"<items node='news'><item/></items>", "", []Event{{Kind: Published}}},
		"several":       {"<items node='news'><item id='1'/><retract id='0'/><item id='2'>" + a + "</item></items>", "", []Event{{Kind: Published, Item: Item{ID: "1"}}, {Kind: Retracted, Item: Item{ID: "0"}}, {Kind: Published, Item: Item{ID: "2", Payload: a}}}},
		"purge":         {"<purge node='news'/>", "", []Event{{Kind: Purged}}},
		"configuration": {"<configuration node='news'><x xmlns='jabber:x:data'><field var='x'/></x></configuration>", "", []Event{{Kind: Configured}}},
		"subscription":  {"<subscription node='news' jid='x' subscription='subscribed'/>", "", []Event{{Kind: SubscriptionChanged, Subscription: "subscribed"}}},
		"delay after":   {"<items node='news'><item id='1'/></items>", "<delay xmlns='urn:xmpp:delay' stamp='2026-11-22T12:36:54.383661Z'/>", []Event{{Kind: Published, Item: Item{ID: "1"}, Delayed: stamp}}},
		"bad delay":     {"<items node='news'><item id='1'/></items>", "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>", []Event{{Kind: Published, Item: Item{ID: "1"}, Delayed: time.Unix(0, 0)}}},
		"body as well":  {"<items node='news'><item id='1'/></items>", "<body>Su</body><headers xmlns='http://jabber.org/protocol/shim'/>", []Event{{Kind: Published, Item: Item{ID: "1"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			subscribed(t, func(r *rig, p *peer) {
				time.Sleep(time.Second)
				now := time.Now()
				p.send("<message from='" + fakeService + "'><event xmlns='" + nsPubSubEvent + "'>" + test.event + "</event>" + test.more + "</message>")
				synctest.Wait()
				got := take(r, &r.events)
				if len(got) != len(test.want) {
					t.Fatalf("got %+v", got)
				}
				for i, want := range test.want {
					want.Node, want.Received, got[i].Delayed = news, now, got[i].Delayed.In(want.Delayed.Location())
					if want.Item.Payload != "" {
						want.Item.Fingerprint = fingerprintIn(t, nsPubSub, want.Item.Payload, 0)
					}
					if got[i] != want {
						t.Errorf("got  %+v\nwant %+v", got[i], want)
					}
				}
			})
		})
	}
}

func TestNamesInLogs(t *testing.T) {
	for want, got := range map[string]string{
		`"news" at pubsub.example.org`:  news.String(),
		"connecting up down rejected":   Connecting.String() + " " + Up.String() + " " + Down.String() + " " + Rejected.String(),
		"not-allowed (closed-node): go": (&Error{Condition: "not-allowed", Detail: "closed-node", Text: "go"}).Error(),
		"forbidden":                     (&Error{Condition: "forbidden"}).Error(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
