package xmppclient

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"
)

// retained runs f with a client that asks for what is retained, at a server
// that answers requests for items with what reply returns.
func retained(t *testing.T, reply func(iq iqIn) string, f func(r *rig, p *peer)) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			asked := strings.Contains(iq.Inner, "<items ")
			if asked {
				p.result(iq, reply(iq))
			}
			return asked
		})
		r.telling()
		r.run()
		f(r, r.session())
	})
}

// retaining returns a reply with the items.
func retaining(items ...string) func(iqIn) string {
	return func(iqIn) string {
		return "<pubsub xmlns='" + nsPubSub + "'><items node='news'>" + strings.Join(items, "") + "</items></pubsub>"
	}
}

// item returns an item whose payload has so many bytes.
func item(id string, bytes int) string {
	const start, end = "<a xmlns='u'>", "</a>"
	return "<item id='" + id + "'>" + start + strings.Repeat("x", bytes-len(start+end)) + end + "</item>"
}

func itemIDs(items []Item) string {
	var list []string
	for _, item := range items {
		list = append(list, item.ID)
	}
	return strings.Join(list, " ")
}

// wantRetained wants OnItems to have been called once since the last time.
func (r *rig) wantRetained(ids string, complete bool) Retained {
	r.t.Helper()
	synctest.Wait()
	told := take(r, &r.items)
	r.mu.Lock()
	r.items = nil
	r.mu.Unlock()
	if len(told) != 1 {
		r.t.Fatalf("OnItems was called %d times, want once", len(told))
	}
	if got := told[0]; got.node != news || itemIDs(got.Items) != ids || got.Complete != complete || got.Err != nil {
		r.t.Errorf("told of %v: items %q, complete %t, %v; want %q, %t", got.node, itemIDs(got.Items), got.Complete, got.Err, ids, complete)
	}
	return told[0].Retained
}

func TestItemsAreTold(t *testing.T) {
	const a = "<a xmlns='urn:a'/>"
	reply := retaining("<item id='3' publisher='a@b/c'>"+a+"</item>", "<item id='1'><x/></item>", "<retract id='4'/>", "<item id='2'/>")
	retained(t, reply, func(r *rig, p *peer) {
		r.Subscribe(news)
		if iq := r.want(p, "<items"); iq.Type != "get" || iq.To != fakeService || strings.Contains(iq.Inner, "max_items") {
			t.Errorf("asked for %+v", iq)
		}
		got := r.wantRetained("3 1 2", true)
		for i, want := range []Item{
			{ID: "3", Publisher: "a@b/c", Payload: a},
			{ID: "1", Payload: "<x xmlns='" + nsPubSub + "'/>"},
			{ID: "2"},
		} {
			print := got.Items[i].Fingerprint
			if (print == 0) != (want.Payload == "") {
				t.Errorf("the fingerprint of %q is %d", want.Payload, print)
			}
			if want.Fingerprint = print; got.Items[i] != want {
				t.Errorf("got %+v, want %+v", got.Items[i], want)
			}
		}
		r.wantOutcomes(1)
		time.Sleep(renewAfter * 5 / 4)
		r.wantRetained("3 1 2", true) // with the renewal
	})
}

func TestNobodyAsksForItemsInVain(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		time.Sleep(time.Hour)
		if asked := requested(p); len(asked) == 0 || strings.Contains(fmt.Sprint(asked), "items") {
			t.Errorf("the requests are %q", asked)
		}
	})
}

// TestItemsComeInTheOrderOfTheStream has all that is told in one write.
func TestItemsComeInTheOrderOfTheStream(t *testing.T) {
	bubble(t, func(r *rig) {
		var told []string // guarded by r.mu
		tell := func(what string) { put(r, &told, what) }
		r.cfg.OnEvent = func(ev Event) { tell(ev.Item.ID) }
		r.cfg.OnItems = func(_ Node, got Retained) { tell("items " + itemIDs(got.Items)) }
		r.cfg.OnSubscription = func(_ Node, err error) { tell(fmt.Sprint("subscribed ", err)) }
		r.fake.answer(ignore)
		r.run()
		p := r.session()
		for range 20 {
			r.Subscribe(news)
			iq := r.want(p, "<subscribe")
			p.send(eventXML("news", "<item id='1'/>"))
			p.result(iq, "")
			iq = r.want(p, "<items")
			p.send(eventXML("news", "<item id='2'/>") +
				"<iq type='result' id='" + iq.ID + "' from='" + iq.To + "'>" + retaining("<item id='1'/>", "<item id='2'/>")(iq) + "</iq>" +
				eventXML("news", "<item id='3'/>"))
			synctest.Wait()
			got := strings.Join(take(r, &told), ", ")
			if want := "1, 2, items 1 2, 3, subscribed <nil>"; got != want && got != "1, 2, items 1 2, subscribed <nil>, 3" {
				t.Errorf("told %q, want %q", got, want)
			}
			r.mu.Lock()
			told = nil
			r.mu.Unlock()
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	all := []string{item("1", 100), item("2", 50), item("3", 100), "<item id='4'/>", item("5", 100)}
	for _, test := range []struct {
		items, bytes int
		ids          string
		complete     bool
	}{
		{0, 0, "1 2 3 4 5", true},
		{6, 0, "1 2 3 4 5", true},
		{5, 0, "1 2 3 4 5", false}, // nobody knows
		{4, 0, "2 3 4 5", false},   // also if the service sends more than it was asked for
		{1, 0, "5", false},
		{0, 350, "1 2 3 4 5", true},
		{0, 349, "2 3 4 5", false},
		{0, 250, "2 3 4 5", false},
		{0, 249, "3 4 5", false},
		{0, 199, "4 5", false},
		{0, 100, "4 5", false},
		{0, 99, "5", false}, // one there is always
		{2, 350, "4 5", false},
		{5, 200, "3 4 5", false},
	} {
		t.Run(fmt.Sprint(test.items, " items, ", test.bytes, " bytes"), func(t *testing.T) {
			retained(t, retaining(all...), func(r *rig, p *peer) {
				r.SetHistory(test.items, test.bytes)
				r.Subscribe(news)
				iq := r.want(p, "<items")
				if max := attrOf(iq.Inner, "max_items"); max != strings.TrimPrefix(fmt.Sprint(test.items), "0") {
					t.Errorf("max_items is %q, want %d", max, test.items)
				}
				r.wantRetained(test.ids, test.complete)
				r.SetHistory(0, 0)
				r.Subscribe(news)
				r.wantRetained("1 2 3 4 5", true)
			})
		})
	}
	t.Run("not for those who ask themselves", func(t *testing.T) {
		retained(t, retaining(all...), func(r *rig, p *peer) {
			r.SetHistory(1, 1)
			items, err := r.Items(context.Background(), news, 0)
			if itemIDs(items) != "1 2 3 4 5" || err != nil {
				t.Errorf("items %q, %v", itemIDs(items), err)
			}
			items, err = r.ItemsByID(context.Background(), news, "1", "2", "3", "4", "5")
			if itemIDs(items) != "1 2 3 4 5" || err != nil {
				t.Errorf("items %q, %v", itemIDs(items), err)
			}
		})
	})
}

// TestDroppedItemsAreNotKept wants no memory to be held for what is over the
// bounds.
func TestDroppedItemsAreNotKept(t *testing.T) {
	client, _ := memConns(1)
	d := itemsDecoder{session: &session{link: newLink(client)}, bounds: history{items: 10}}
	var payloads []weak.Pointer[byte]
	for range 1000 {
		payload := strings.Repeat("x", 100)
		payloads = append(payloads, weak.Make(unsafe.StringData(payload)))
		d.add(Item{Payload: payload})
	}
	runtime.GC()
	kept := 0
	for _, p := range payloads {
		if p.Value() != nil {
			kept++
		}
	}
	if kept != len(d.got.Items) || kept != 10 {
		t.Errorf("%d payloads are kept for %d items, want 10", kept, len(d.got.Items))
	}
}

func TestItemsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		typ, condition string
		told           bool // OnItems is told, and the subscription stands
		again          bool // it is tried again
	}{
		{"cancel", "feature-not-implemented", true, false},
		{"auth", "forbidden", true, false},
		{"cancel", "not-allowed", true, false},
		{"auth", "not-authorized", true, false},
		{"cancel", "item-not-found", false, false},
		{"cancel", "service-unavailable", false, false}, // it was never there
		{"wait", "resource-constraint", false, true},
		{"wait", "item-not-found", false, true},
		{"cancel", "remote-server-timeout", false, true},
	} {
		t.Run(test.typ+" "+test.condition, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.answer(func(p *peer, iq iqIn) bool {
					asked := strings.Contains(iq.Inner, "<items ")
					if asked {
						p.fail(iq, test.typ, test.condition)
					}
					return asked
				})
				r.telling()
				r.run()
				p := r.session()
				r.Subscribe(news)
				r.wantRequested(p, "subscribe news", "items news")
				told, subs := take(r, &r.items), take(r, &r.subs)
				var e *Error
				switch {
				case len(subs) != 1:
					t.Fatalf("%d outcomes, want one", len(subs))
				case test.told:
					if subs[0].err != nil || len(told) != 1 || !errors.As(told[0].Err, &e) || len(told[0].Items) != 0 {
						t.Errorf("outcome %v, told %+v", subs[0].err, told)
					}
				case len(told) != 0 || !errors.As(subs[0].err, &e):
					t.Errorf("outcome %v, told %+v", subs[0].err, told)
				}
				if e == nil || e.Condition != test.condition || e.Node != news || e.Op != "getting the items of" {
					t.Errorf("the error is %+v, want %s of %v", e, test.condition, news)
				}
				if known := len(r.subscriptions()) == 1; known != (test.told || test.again) {
					t.Errorf("is the node known: %t", known)
				}
				r.fake.answer(nil)
				time.Sleep(5 * time.Second)
				if again := len(requested(p)) == 2; again != test.again {
					t.Errorf("is it tried again: %t", again)
				}
			})
		})
	}
}

func TestItemsThatDoNotCome(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.answer(func(_ *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<items ") })
		r.telling()
		r.run()
		p := r.session()
		began := time.Now()
		r.Subscribe(news)
		iq := r.want(p, "<items")
		time.Sleep(requestTimeout)
		synctest.Wait()
		subs := take(r, &r.subs)
		if len(subs) != 1 || !errors.Is(subs[0].err, ErrTimeout) || subs[0].at.Sub(began) != requestTimeout {
			t.Errorf("outcomes %+v, want %v", subs, ErrTimeout)
		}
		p.result(iq, retaining("<item id='late'/>")(iq))
		synctest.Wait()
		if told := take(r, &r.items); len(told) != 0 {
			t.Errorf("told %+v of an answer that came too late", told)
		}
		r.fake.answer(nil)
		r.want(p, "<items")
		r.wantRetained("", true)
		r.wantAlive(p)
	})
}

// TestSlowItems has an answer that begins in time and takes its time.
func TestSlowItems(t *testing.T) {
	for name, ask := range map[string]func(r *rig){
		"subscription": func(r *rig) { r.Subscribe(news) },
		"request": func(r *rig) {
			go func() {
				items, err := r.Items(context.Background(), news, 0)
				put(r, &r.items, itemsNews{news, Retained{Items: items, Complete: true, Err: err}, 0})
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.answer(func(_ *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<items ") })
				r.telling()
				r.run()
				p := r.session()
				ask(r)
				iq := r.want(p, "<items")
				time.Sleep(requestTimeout - time.Second)
				p.send("<iq type='result' id='" + iq.ID + "' from='" + iq.To + "'><pubsub xmlns='" + nsPubSub + "'><items node='news'>")
				want := []string{}
				for i := range 60 {
					time.Sleep(10 * time.Second)
					want = append(want, fmt.Sprint(i))
					p.send("<item id='" + want[i] + "'/>")
				}
				p.send("</items></pubsub></iq>")
				r.wantRetained(strings.Join(want, " "), true)
				r.wantLinks(Up)
			})
		})
	}
}

// TestMoreItemsThanAStanzaMayHold has a node that retains more than MaxStanza.
func TestMoreItemsThanAStanzaMayHold(t *testing.T) {
	t.Parallel()
	const each, many = 1 << 20, MaxStanza>>20 + 1
	var items []string
	for i := range many {
		items = append(items, item(fmt.Sprint(i), each))
	}
	retained(t, retaining(items...), func(r *rig, p *peer) {
		r.SetHistory(0, 3*each)
		r.Subscribe(news)
		r.want(p, "<items")
		got := r.wantRetained("14 15 16", false)
		for _, item := range got.Items {
			if len(item.Payload) != each {
				t.Errorf("item %s has %d bytes, want %d", item.ID, len(item.Payload), each)
			}
		}
		r.wantLinks(Up)
		r.wantAlive(p)
	})
}

// TestManyItemsThatNobodyWaitsFor has the same come when nobody asks for it any
// more: after a loss of the link, or too late.
func TestManyItemsThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.fake.managing = true
		r.fake.answer(func(_ *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<items ") })
		r.telling()
		r.run()
		p := r.session()
		r.Subscribe(news)
		iq := r.want(p, "<items")
		r.fake.answer(nil)
		synctest.Wait()
		p.raw.reset()
		var items []string
		for i := range MaxStanza>>20 + 1 {
			items = append(items, item(fmt.Sprint(i), 1<<20))
		}
		p.result(iq, retaining(items...)(iq))
		handled := p.sent() - 1
		p = r.wantResumed(handled)
		r.want(p, "<items")
		r.wantRetained("", true)
		r.wantLinks(Up, Down, Resumed)
		r.wantAlive(p)
		r.wantHandled(p)
	})
}

// TestGivenUpInTheMiddleOfItems ends in the middle of an answer, in any of the
// ways there are. Under -race this tells whether anything is shared then.
func TestGivenUpInTheMiddleOfItems(t *testing.T) {
	for name, end := range map[string]func(r *rig, p *peer){
		"log out":  func(r *rig, p *peer) { go r.end() },
		"reset":    func(r *rig, p *peer) { p.raw.reset() },
		"cut":      func(r *rig, p *peer) { p.raw.Close() },
		"given up": func(r *rig, p *peer) { r.Unsubscribe(news) },
	} {
		for _, inside := range []string{"result|" + "<pubsub xmlns='" + nsPubSub + "'><items node='news'><item id='1'/>|<item id='2'/></items></pubsub></iq>",
			"error|<error type='auth'>|<forbidden xmlns='" + nsStanzas + "'/></error></iq>"} {
			t.Run(name, func(t *testing.T) {
				parts := strings.Split(inside, "|")
				bubble(t, func(r *rig) {
					r.fake.answer(func(_ *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<items ") })
					r.telling()
					r.run()
					p := r.session()
					r.Subscribe(news)
					iq := r.want(p, "<items")
					p.send("<iq type='" + parts[0] + "' id='" + iq.ID + "' from='" + iq.To + "'>" + parts[1])
					synctest.Wait()
					p.send(parts[2]) // at the same time as
					end(r, p)
					synctest.Wait()
					if told := take(r, &r.items); len(told) > 1 {
						t.Errorf("told %+v", told)
					}
				})
			})
		}
	}
}

// TestWhatWasToldBelongsToTheOneTold reads it while the client goes on.
func TestWhatWasToldBelongsToTheOneTold(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			asked := strings.Contains(iq.Inner, "<items ")
			if asked {
				p.fail(iq, "auth", "forbidden")
			}
			return asked
		})
		told := make(chan Retained, 100)
		r.cfg.OnItems = func(_ Node, got Retained) { told <- got }
		go func() {
			for got := range told {
				_ = fmt.Sprintf("%v %+v", got.Err, got)
				var e *Error
				if !errors.As(got.Err, &e) || e.Node != news || e.Op == "" {
					t.Errorf("told %+v", e)
				}
			}
		}()
		r.run()
		p := r.session()
		for range 20 {
			r.Subscribe(news)
			r.want(p, "<items")
		}
		synctest.Wait()
		close(told)
	})
}

func TestPanicInOnItemsIsAFault(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.OnItems = func(Node, Retained) { panic("cannot bear it") }
		r.run()
		p := r.session()
		r.Subscribe(news)
		r.want(p, "<items")
		r.wantAlive(p)
		faults := take(r, &r.faults)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), "cannot bear it") {
			t.Errorf("faults: %v", faults)
		}
		if subs := take(r, &r.subs); len(subs) != 1 || subs[0].err != nil {
			t.Errorf("outcomes: %+v", subs)
		}
		time.Sleep(renewAfter * 5 / 4)
		if asked := subscribing(p); len(asked) != 1 {
			t.Errorf("renewed %d times, want once", len(asked))
		}
	})
}
