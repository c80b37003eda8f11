package xmppclient_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
	"mellium.im/xmpp/stream"
)

// A heard is what matters of an event.
type heard struct {
	node, id string
	kind     xmppclient.Kind
}

// A cuttable is a client whose link is cut again and again.
type cuttable struct {
	*probe
	*cutter
	resource string
	login    int                // bytes that the server says until one is logged in
	claim    map[string]uint32  // by the id of an item: how many stanzas to claim
	heard    map[string][]heard // by node
	last     xmppclient.Link
	resumed  int // how often
}

func startCuttable(t *testing.T, s *servertest.Server, resource string) *cuttable {
	t.Helper()
	c := &cuttable{
		cutter: cutting(t, s.Addr()), resource: resource,
		claim: map[string]uint32{"the truth": 1, "a lie": 2},
		heard: map[string][]heard{},
	}
	var client atomic.Pointer[xmppclient.Client]
	cfg := serverConfig(t, s)
	cfg.Server, cfg.Resource = c.addr(), resource
	cfg.OnEvent = func(ev xmppclient.Event) {
		if more := c.claim[ev.Item.ID]; more > 0 {
			if err := xmppclient.Claim(client.Load(), more); err != nil {
				t.Error(err)
			}
		}
	}
	c.probe = start(t, cfg)
	client.Store(c.Client)
	c.wantLink(t, xmppclient.Up)
	c.login = c.bytes()
	return c
}

// wantBack waits until all cuts were made and requests are answered again.
func (c *cuttable) wantBack(t *testing.T, service string) {
	t.Helper()
	for {
		cut := c.left() == 0
		_, err := c.Nodes(t.Context(), service)
		if err == nil && cut {
			break
		}
		if err != nil && !errors.Is(err, xmppclient.ErrDisconnected) {
			t.Fatal(err)
		}
		if err != nil {
			c.note(t, receive(t, "change of the link", c.links))
		}
	}
	for len(c.links) > 0 {
		c.note(t, <-c.links)
	}
	if c.last != xmppclient.Resumed {
		t.Errorf("%s is %v, want resumed", c.resource, c.last)
	}
}

func (c *cuttable) note(t *testing.T, change linkChange) {
	t.Helper()
	if c.last = change.state; c.last == xmppclient.Resumed {
		c.resumed++
	} else if c.last != xmppclient.Down {
		t.Fatalf("%s is %v (%v), want resumed", c.resource, c.last, change.err)
	}
}

// wantHeard waits for so many events, and wants them to be those at each node.
func (c *cuttable) wantHeard(t *testing.T, want map[string][]heard) {
	t.Helper()
	total := 0
	for _, list := range want {
		total += len(list)
	}
	for range total {
		ev := receive(t, "event", c.events)
		if !ev.Delayed.IsZero() {
			t.Errorf("%s: an event is said to be of %v", c.resource, ev.Delayed)
		}
		c.heard[ev.Node.Name] = append(c.heard[ev.Node.Name], heard{ev.Node.Name, ev.Item.ID, ev.Kind})
	}
	for node, list := range want {
		for i, want := range list {
			if i == len(c.heard[node]) || c.heard[node][i] != want {
				t.Fatalf("%s: event %d is %+v, want %+v", c.resource, i, c.heard[node][min(i, len(c.heard[node])-1):], want)
			}
		}
	}
}

// A talker makes all kinds of traffic.
type talker struct {
	admin  *servertest.Client
	domain string
	to     []*cuttable
	random *rand.Rand
	said   map[string][]heard // what is to be heard, by node
	next   int
}

// talk has n items published, and more.
func (k *talker) talk(t *testing.T, n int) {
	t.Helper()
	for range n {
		k.next++
		node := [...]string{"lasting", "lasting", "fleeting"}[k.random.IntN(3)]
		id, size := fmt.Sprint(k.next), k.random.IntN(1000)
		if k.random.IntN(12) == 0 {
			size = 40_000
		}
		must(t, k.admin.Publish(node, id, "<a xmlns='urn:a' b=\"it's\">&lt;"+strings.Repeat("x", size)+"</a>"))
		k.said[node] = append(k.said[node], heard{node, id, xmppclient.Published})
		if node == "lasting" && k.random.IntN(4) == 0 {
			must(t, k.admin.Retract(node, id, true))
			k.said[node] = append(k.said[node], heard{node, id, xmppclient.Retracted})
		}
		to := k.to[k.random.IntN(len(k.to))].resource
		address := " to='gateway@" + k.domain + "/" + to + "' id='talk" + id + "'"
		must(t, k.admin.Send([]string{
			"<message type='chat'" + address + "><body>hello</body></message>",
			"<iq type='get'" + address + "><ping xmlns='urn:xmpp:ping'/></iq>",
			"<iq type='get'" + address + "><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
			"<presence" + address + "/>",
		}[k.random.IntN(4)]))
	}
}

// TestRealResumption cuts the links of several clients in the midst of traffic,
// in every way, on the way in as well. Each hears each event once, in order, and
// the server's count agrees with ours at the end.
func TestRealResumption(t *testing.T) {
	t.Parallel()
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		const clients, rounds, each = 8, 2, 40 // of which Prosody keeps 500 stanzas at most for one who is away
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		k := &talker{admin: s.Admin(t), domain: s.Domain(), random: rand.New(rand.NewPCG(seed, 0)), said: map[string][]heard{}}
		must(t, k.admin.CreateNode("lasting", map[string]string{"pubsub#max_items": "1000", "pubsub#send_last_published_item": "never", "pubsub#notify_retract": "1"}))
		must(t, k.admin.CreateNode("fleeting", map[string]string{"pubsub#persist_items": "0", "pubsub#send_last_published_item": "never"}))
		for i := range clients {
			c := startCuttable(t, s, fmt.Sprint("cut", i))
			for _, node := range []string{"lasting", "fleeting"} {
				c.wantSubscribed(t, xmppclient.Node{Service: s.Service(), Name: node})
			}
			k.to = append(k.to, c)
		}
		began, cuts := time.Now(), 0
		for round := range rounds {
			for i, c := range k.to {
				plan := []cut{{1 + k.random.IntN(20_000), [...]func(*way){reset, finish, hole}[(i+round)%3]}}
				if i%4 == round { // and once more about when it resumes
					plan = append(plan, cut{c.login - 400 + k.random.IntN(500), reset})
				}
				c.arm(plan...)
				cuts += len(plan)
			}
			k.talk(t, each)
			for _, c := range k.to {
				c.wantBack(t, s.Service())
			}
		}
		k.talk(t, each/4)
		events := 0
		for _, list := range k.said {
			events += len(list)
		}
		for _, c := range k.to {
			c.wantHeard(t, k.said)
			if len(c.events) > 0 || len(c.links) > 0 {
				t.Errorf("%s heard %d events more, and %d changes of the link", c.resource, len(c.events), len(c.links))
			}
			if c.resumed < rounds {
				t.Errorf("%s was resumed %d times, want %d", c.resource, c.resumed, rounds)
			}
			if len(c.subs) > 0 {
				t.Errorf("%s subscribed again: %+v", c.resource, <-c.subs)
			}
		}
		t.Logf("%d cuts, %d events at each of %d clients, in %v", cuts, events, clients, time.Since(began))

		// The server accepts that all is handled, and no more.
		for _, id := range []string{"the truth", "after it", "a lie"} {
			must(t, k.admin.Publish("lasting", id, atom))
			for _, c := range k.to {
				if ev := receive(t, "event", c.events); ev.Item.ID != id {
					t.Fatalf("%s heard %+v, want %s", c.resource, ev, id)
				}
			}
		}
		for _, c := range k.to {
			if err := c.wantLink(t, xmppclient.Down); !errors.As(err, new(stream.Error)) {
				t.Errorf("the lie of %s led to %v", c.resource, err)
			}
		}
	})
}
