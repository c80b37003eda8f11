package xmppclient_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// A told is what OnItems was told.
type told struct {
	node xmppclient.Node
	xmppclient.Retained
}

func (r *real) testRetained(t *testing.T) {
	items := make(chan told, 100)
	cfg := serverConfig(t, r.Server)
	cfg.Resource = "retained"
	cfg.OnItems = func(n xmppclient.Node, got xmppclient.Retained) { items <- told{n, got} }
	r = &real{Server: r.Server, admin: r.admin, probe: start(t, cfg)}
	r.wantLink(t, xmppclient.Up)
	wantItems := func(n xmppclient.Node, ids_ string, complete bool) xmppclient.Retained {
		t.Helper()
		r.wantSubscribed(t, n)
		if len(items) != 1 {
			t.Fatalf("OnItems was called %d times before OnSubscription, want once", len(items))
		}
		got := <-items
		if got.node != n || ids(got.Items) != ids_ || got.Complete != complete {
			t.Errorf("told of %v: items %q, complete %t, %v; want %q, %t", got.node, ids(got.Items), got.Complete, got.Err, ids_, complete)
		}
		return got.Retained
	}

	n := r.create(t, "retained", map[string]string{"pubsub#max_items": "100", "pubsub#send_last_published_item": "never"})
	if got := wantItems(n, "", true); got.Err != nil {
		t.Error(got.Err)
	}
	for _, id := range []string{"1", "2", "3", "1"} {
		must(t, r.admin.Publish("retained", id, atom))
		r.wantEvent(t, n, xmppclient.Published, id)
	}
	order, newest := "2 3 1", "3 1" // by their last publication
	if r.Name() == "ejabberd" {
		order, newest = "1 2 3", "2 3" // by their first
	}
	for _, item := range wantItems(n, order, true).Items {
		if item.Payload != atom || item.Fingerprint != xmppclient.Fingerprint(t, atom) {
			t.Errorf("item %+v", item)
		}
	}
	r.SetHistory(2, 0)
	wantItems(n, newest, false)
	r.SetHistory(0, 2*len(atom))
	wantItems(n, newest, false)
	r.SetHistory(4, 0)
	wantItems(n, order, true)
	r.SetHistory(0, 0)

	// A node that retains nothing.
	n = r.create(t, "transient", map[string]string{"pubsub#persist_items": "0", "pubsub#send_last_published_item": "never"})
	must(t, r.admin.Publish("transient", "1", atom))
	r.wantSubscribed(t, n)
	if got := receive(t, "items", items); r.Name() == "prosody" {
		r.wantError(t, got.Err, n, "cancel/feature-not-implemented+persistent-items", "")
	} else if got.Err != nil || len(got.Items) > 1 {
		t.Errorf("told %+v, want the last item or none", got)
	}
	must(t, r.admin.Publish("transient", "2", atom))
	r.wantEvent(t, n, xmppclient.Published, "2")

	missing := r.node("not retained")
	r.wantError(t, r.wantRefused(t, missing), missing, "cancel/item-not-found", "cancel/item-not-found")
	if len(items) > 0 || len(r.events) > 0 {
		t.Errorf("%d more times told, %d events", len(items), len(r.events))
	}
}

// A follower checks that what it is told of a node has no hole. Items are
// numbered from 0. It is called by one goroutine.
type follower struct {
	t     *testing.T
	exact bool // what is told with the items is all that the events before told, and nothing of those after
	last  int  // the number of the last item
	done  chan xmppclient.Node

	known map[xmppclient.Node]int // how many items are known, since they were told of
	heard map[xmppclient.Node]int // how many the events before made, since the first; none before that

	asked, older, newer int // how often the items were told, and lacked those of events before, or had those of events after

	mu   sync.Mutex
	sure map[xmppclient.Node]int // a copy of heard; guarded by mu
}

func (f *follower) onEvent(ev xmppclient.Event) {
	n := ev.Node
	number, err := strconv.Atoi(ev.Item.ID)
	if err != nil || ev.Kind != xmppclient.Published {
		f.t.Errorf("event %+v", ev)
		return
	}
	if want, some := f.heard[n]; some && number != want {
		f.t.Errorf("the event of item %d of %v came, want %d", number, n, want)
	}
	f.heard[n] = number + 1
	f.mu.Lock()
	f.sure[n] = number + 1
	f.mu.Unlock()
	known, told := f.known[n]
	switch {
	case told && number > known:
		f.t.Errorf("the event of item %d of %v came, and nothing of %d", number, n, known)
	case told && number < known:
		f.newer++
		if f.exact {
			f.t.Errorf("the event of item %d of %v came after it was told of", number, n)
		}
	case told:
		f.know(n, number+1)
	}
}

func (f *follower) onItems(n xmppclient.Node, got xmppclient.Retained) {
	f.asked++
	for i, item := range got.Items {
		if item.ID != strconv.Itoa(i) {
			f.t.Errorf("item %d of %v has the id %q", i, n, item.ID)
		}
	}
	if !got.Complete || got.Err != nil {
		f.t.Errorf("of %v not all is told: %v", n, got.Err)
	}
	if heard := f.heard[n]; heard > len(got.Items) {
		f.older++
		if f.exact {
			f.t.Errorf("the event of item %d of %v came before items that lack it", heard-1, n)
		}
	}
	f.know(n, max(len(got.Items), f.heard[n]))
}

// know notes that so many items of n are known.
func (f *follower) know(n xmppclient.Node, items int) {
	if f.known[n] = items; items == f.last+1 {
		f.done <- n
	}
}

// wantSure asks for the items of n, and wants them to have what the events
// heard before told of.
func (f *follower) wantSure(p *probe, n xmppclient.Node) {
	f.mu.Lock()
	want := f.sure[n]
	f.mu.Unlock()
	if items, err := p.Items(f.t.Context(), n, 0); len(items) < want || err != nil {
		f.t.Errorf("%d items of %v, %v, want the %d that the events told of before", len(items), n, err, want)
	}
}

// TestRealItemsUnderLoad subscribes, again and again, to nodes at which much is
// published. Every item is either told of with the items or comes after.
func TestRealItemsUnderLoad(t *testing.T) {
	t.Parallel()
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		const nodes, items, clients, times = 3, 120, 4, 4
		var publishing sync.WaitGroup
		var all []xmppclient.Node
		for i := range nodes {
			n := xmppclient.Node{Service: s.Service(), Name: fmt.Sprint("load", i)}
			all = append(all, n)
			admin := s.Admin(t)
			must(t, admin.CreateNode(n.Name, map[string]string{"pubsub#max_items": "1000", "pubsub#send_last_published_item": "never"}))
			publishing.Go(func() {
				for j := range items {
					if err := admin.Publish(n.Name, fmt.Sprint(j), atom); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var following sync.WaitGroup
		var followers []*follower
		for i := range clients {
			f := &follower{
				t: t, exact: s.Name() == "prosody", last: items - 1, done: make(chan xmppclient.Node, 1000),
				known: map[xmppclient.Node]int{}, heard: map[xmppclient.Node]int{}, sure: map[xmppclient.Node]int{},
			}
			followers = append(followers, f)
			cfg := serverConfig(t, s)
			cfg.Resource = fmt.Sprint("load", i)
			cfg.OnEvent, cfg.OnItems = f.onEvent, f.onItems
			p := start(t, cfg)
			following.Go(func() {
				for range times {
					for _, n := range all {
						p.Subscribe(n)
					}
					for range all {
						select {
						case got := <-p.subs:
							if got.err != nil {
								t.Errorf("subscribing to %v: %v", got.node, got.err)
							}
						case <-t.Context().Done():
						}
					}
					for _, n := range all {
						f.wantSure(p, n)
					}
				}
				ended := map[xmppclient.Node]bool{}
				for len(ended) < nodes {
					select {
					case n := <-f.done:
						ended[n] = true
					case <-t.Context().Done():
						return
					}
				}
			})
		}
		publishing.Wait()
		following.Wait()
		asked, older, newer := 0, 0, 0
		for _, f := range followers {
			asked, older, newer = asked+f.asked, older+f.older, newer+f.newer
		}
		t.Logf("of %d times items were told %d were older than the last event; %d events were of items told of before", asked, older, newer)
	})
}
