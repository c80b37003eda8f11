package xmppclient

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// holding keeps back the answers to requests for subscriptions until the
// function that it returns is called.
func holding(r *rig) (release func()) {
	held := make(chan struct{})
	r.fake.answer(func(p *peer, iq iqIn) bool {
		go func() {
			<-held
			p.result(iq, "")
		}()
		return true
	})
	return func() { close(held); synctest.Wait() }
}

func TestChangesDuringARequest(t *testing.T) {
	t.Run("given up", func(t *testing.T) {
		running(t, func(r *rig, p *peer) {
			release := holding(r)
			r.Subscribe(news)
			r.want(p, "<subscribe ")
			r.Unsubscribe(news)
			synctest.Wait()
			if len(p.got) != 0 {
				t.Error("two requests for one node at a time")
			}
			release()
			r.want(p, "<unsubscribe ")
			synctest.Wait()
			if len(r.subscriptions()) != 0 {
				t.Error("it is not forgotten")
			}
			r.wantOutcomes(0)
		})
	})
	t.Run("given up and wanted again", func(t *testing.T) {
		running(t, func(r *rig, p *peer) {
			release := holding(r)
			r.Subscribe(news)
			r.want(p, "<subscribe ")
			r.Unsubscribe(news)
			r.Subscribe(news)
			release()
			r.want(p, "<subscribe ")
			r.wantAlive(p)
			r.wantOutcomes(1)
		})
	})
	t.Run("wanted again while it is dropped", func(t *testing.T) {
		subscribed(t, func(r *rig, p *peer) {
			release := holding(r)
			r.Unsubscribe(news)
			r.want(p, "<unsubscribe ")
			r.Subscribe(news)
			release()
			r.want(p, "<subscribe ")
			r.wantAlive(p)
		})
	})
	t.Run("deleted", func(t *testing.T) {
		running(t, func(r *rig, p *peer) {
			release := holding(r)
			r.Subscribe(news)
			r.want(p, "<subscribe ")
			p.send("<message from='" + fakeService + "'><event xmlns='" + nsPubSubEvent + "'><delete node='news'/></event></message>")
			synctest.Wait()
			r.Subscribe(news)
			r.want(p, "<subscribe ")
			release()
			r.wantAlive2(p)
			r.wantOutcomes(1)
		})
	})
	t.Run("the link is lost", func(t *testing.T) {
		running(t, func(r *rig, p *peer) {
			r.fake.answer(ignore)
			r.Subscribe(news)
			r.want(p, "<subscribe ")
			p.raw.reset()
			r.fake.answer(nil)
			p = r.session()
			r.want(p, "<subscribe ")
			r.wantAlive(p)
			if subs := take(r, &r.subs); len(subs) != 2 || !errors.Is(subs[0].err, ErrDisconnected) || subs[1].err != nil {
				t.Errorf("outcomes: %+v", subs)
			}
		})
	})
}

// wantOutcomes wants so many subscriptions to have been reported.
func (r *rig) wantOutcomes(n int) {
	r.t.Helper()
	if subs := take(r, &r.subs); len(subs) != n {
		r.t.Errorf("%d outcomes, want %d: %+v", len(subs), n, subs)
	}
}

// wantAlive2 is wantAlive after events of other kinds.
func (r *rig) wantAlive2(p *peer) {
	r.t.Helper()
	p.publish("news", "alive", "")
	synctest.Wait()
	events := take(r, &r.events)
	if n := len(events); n == 0 || events[n-1].Item.ID != "alive" {
		r.t.Errorf("events: %+v", events)
	}
}

func TestSubscriptionsThatTheServiceEnds(t *testing.T) {
	for _, end := range []string{"<delete node='news'/>", "<subscription node='news' subscription='none' jid='gateway@example.org/web'/>", "<subscription node='news' subscription='pending'/>"} {
		subscribed(t, func(r *rig, p *peer) {
			p.send("<message from='" + fakeService + "'><event xmlns='" + nsPubSubEvent + "'>" + end + "</event></message>")
			synctest.Wait()
			events := take(r, &r.events)
			if len(events) != 1 || events[0].Kind != Deleted && events[0].Kind != SubscriptionChanged || events[0].Node != news {
				t.Errorf("events: %+v", events)
			}
			if len(r.subscriptions()) != 0 || len(r.services) != 0 {
				t.Error("it is not forgotten")
			}
			time.Sleep(3 * time.Hour)
			if asked := subscribing(p); len(asked) != 0 {
				t.Errorf("asked again: %v", asked)
			}
		})
	}
}

func TestManyNodes(t *testing.T) {
	const many = 1000
	running(t, func(r *rig, p *peer) {
		var under, most atomic.Int64
		r.fake.answer(func(p *peer, iq iqIn) bool {
			most.Store(max(most.Load(), under.Add(1)))
			time.AfterFunc(50*time.Millisecond, func() {
				under.Add(-1)
				p.result(iq, "")
			})
			return true
		})
		for i := range many {
			r.Subscribe(Node{fakeService, fmt.Sprint("n", i)})
		}
		time.Sleep(time.Minute)
		if n := len(subscribing(p)); n != many || most.Load() != 8 {
			t.Errorf("%d requests, %d at a time", n, most.Load())
		}
		p.raw.reset()
		p = r.session()
		for range 100 {
			r.want(p, "<subscribe ")
		}
		r.Subscribe(news) // which goes before the 900 that are to be renewed
		r.wantSoon(p, "'news'")
		waiting := r.waiting()
		r.Subscribe(waiting) // one of them, which somebody now waits for
		r.wantSoon(p, "'"+waiting.Name+"'")
		time.Sleep(time.Minute)
		if n := len(subscribing(p)); n < many-100-4*subscribeWindow || n > many-100 {
			t.Errorf("%d more requests", n)
		}
		for i := range many {
			p.publish(fmt.Sprint("n", i), "1", "")
		}
		synctest.Wait()
		if n := len(take(r, &r.events)); n != many {
			t.Errorf("%d events, want %d", n, many)
		}
	})
}

// wantSoon wants a subscription to be asked for before those that wait.
func (r *rig) wantSoon(p *peer, part string) {
	r.t.Helper()
	for i := 0; !strings.Contains(r.want(p, "<subscribe ").Inner, part); i++ {
		if i > 2*subscribeWindow {
			r.t.Fatalf("%s waits for the old ones", part)
		}
	}
}

// waiting returns the last node that waits to be renewed.
func (r *rig) waiting() Node {
	r.Client.mu.Lock()
	defer r.Client.mu.Unlock()
	return r.renewals[len(r.renewals)-1]
}

func TestSlowOnSubscriptionHoldsOnlyItsWindow(t *testing.T) {
	bubble(t, func(r *rig) {
		hold := make(chan struct{})
		r.cfg.OnSubscription = func(Node, error) { <-hold }
		r.run()
		p := r.session()
		for i := range 2 * subscribeWindow {
			r.Subscribe(Node{fakeService, fmt.Sprint("n", i)})
		}
		r.want(p, "'n7'")
		p.publish("n0", "1", "")
		r.wantEvents("1")
		close(hold)
		r.want(p, "'n15'")
	})
}
