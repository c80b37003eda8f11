package xmppclient

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// subscribing returns which of the stanzas that came at p ask for a
// subscription.
func subscribing(p *peer) (asked []iqIn) {
	for len(p.got) > 0 {
		if iq := <-p.got; strings.Contains(iq.Inner, "<subscribe ") {
			asked = append(asked, iq)
		}
	}
	return asked
}

func TestSubscribing(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.Subscribe(news)
		iq := r.want(p, "")
		if want := "<pubsub xmlns='" + nsPubSub + "'><subscribe node='news' jid='gateway@example.org/web'></subscribe></pubsub>"; iq.Inner != want || iq.To != fakeService || iq.Type != "set" {
			t.Errorf("got %+v, want %s", iq, want)
		}
		synctest.Wait()
		if subs := take(r, &r.subs); len(subs) != 1 || subs[0].node != news || subs[0].err != nil {
			t.Errorf("outcome: %+v", subs)
		}
		r.wantAlive(p)
	})
}

func TestSubscribingBeforeThereIsASession(t *testing.T) {
	bubble(t, func(r *rig) {
		r.Subscribe(news)
		r.run()
		r.want(r.session(), "<subscribe node='news'")
	})
}

func TestSubscriptionIsRenewed(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		for range 4 {
			last := time.Now()
			next := r.want(p, "<subscribe node='news'")
			if d := next.At.Sub(last); d < renewAfter*3/4 || d > renewAfter*5/4 {
				t.Errorf("renewed after %v", d)
			}
		}
		synctest.Wait()
		if subs := take(r, &r.subs); len(subs) != 5 {
			t.Errorf("%d outcomes, want 5", len(subs))
		}
	})
}

func TestTemporaryFailureIsRetried(t *testing.T) {
	for name, fail := range map[string]func(p *peer, iq iqIn){
		"wait":      func(p *peer, iq iqIn) { p.fail(iq, "wait", "resource-constraint") },
		"remote":    func(p *peer, iq iqIn) { p.fail(iq, "cancel", "remote-server-timeout") },
		"no answer": func(*peer, iqIn) {},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(r *rig, p *peer) {
				r.fake.answer(func(p *peer, iq iqIn) bool {
					subscribe := strings.Contains(iq.Inner, "<subscribe ")
					if subscribe {
						fail(p, iq)
					}
					return subscribe
				})
				r.Subscribe(news)
				asked := r.want(p, "<subscribe ").At
				var gaps []time.Duration
				for range 14 {
					next := r.want(p, "<subscribe ").At
					gaps = append(gaps, next.Sub(asked))
					asked = next
				}
				if first := gaps[0]; first < retryMin*3/4 || first > retryMin*5/4+requestTimeout {
					t.Errorf("the first retry comes after %v", first)
				}
				if last := gaps[13]; last < retryMax*3/4 || last > retryMax*5/4+requestTimeout {
					t.Errorf("at last a retry comes after %v", last)
				}
				if gaps[4] < 2*gaps[1] {
					t.Errorf("the delay does not grow: %v", gaps)
				}
				for _, sub := range take(r, &r.subs) {
					if sub.err == nil || !Temporary(sub.err) {
						t.Errorf("outcome: %v", sub.err)
					}
				}
				r.fake.answer(nil)
				r.want(p, "<subscribe ")
				r.wantAlive(p)
			})
		})
	}
}

func TestPermanentFailureIsForgotten(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			p.fail(iq, "auth", "forbidden")
			return true
		})
		r.Subscribe(news)
		time.Sleep(3 * time.Hour)
		subs := take(r, &r.subs)
		var e *Error
		if len(subs) != 1 || !errors.As(subs[0].err, &e) || e.Condition != "forbidden" || e.Type != "auth" || e.Node != news || Temporary(subs[0].err) {
			t.Errorf("outcome: %+v", subs)
		}
		if asked := subscribing(p); len(asked) != 1 {
			t.Errorf("asked %d times", len(asked))
		}
		if len(r.subscriptions()) != 0 {
			t.Error("it is not forgotten")
		}
		r.fake.answer(nil)
		r.Subscribe(news)
		r.want(p, "<subscribe ")
		r.wantAlive(p)
	})
}

func TestPendingSubscriptionIsTakenBack(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			p.result(iq, "<pubsub xmlns='"+nsPubSub+"'><subscription node='news' subscription='pending' subid='s1'/></pubsub>")
			return true
		})
		r.Subscribe(news)
		r.want(p, "<unsubscribe node='news' jid='gateway@example.org/web' subid='s1'>")
		synctest.Wait()
		subs := take(r, &r.subs)
		var e *Error
		if len(subs) != 1 || !errors.As(subs[0].err, &e) || e.Condition != "not-authorized" || e.Detail != "pending-subscription" {
			t.Errorf("outcome: %+v", subs)
		}
		if len(r.subscriptions()) != 0 {
			t.Error("it is not forgotten")
		}
	})
}

func TestUnsubscribing(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			p.result(iq, "<pubsub xmlns='"+nsPubSub+"'><subscription node='news' subscription='subscribed' subid='s&amp;1'/></pubsub>")
			return true
		})
		r.Subscribe(news)
		synctest.Wait()
		r.Unsubscribe(news)
		r.want(p, "<unsubscribe node='news' jid='gateway@example.org/web' subid='s&amp;1'>")
		synctest.Wait()
		if len(r.subscriptions()) != 0 || len(r.services) != 0 {
			t.Error("it is not forgotten")
		}
		time.Sleep(3 * time.Hour)
		if asked := subscribing(p); len(asked) != 0 {
			t.Errorf("asked again: %v", asked)
		}
		r.Unsubscribe(Node{fakeService, "unknown"})
	})
}

func (r *rig) subscriptions() map[Node]*subscription {
	r.Client.mu.Lock()
	defer r.Client.mu.Unlock()
	return r.Client.subs
}

func TestUnsubscribingIsRetried(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		r.fake.answer(ignore)
		r.Unsubscribe(news)
		first := r.want(p, "<unsubscribe ")
		second := r.want(p, "<unsubscribe ")
		if d := second.At.Sub(first.At); d < requestTimeout || d > requestTimeout+5*time.Second {
			t.Errorf("retried after %v", d)
		}
		p.fail(second, "wait", "unexpected-request") // ejabberd knows of no subscription
		synctest.Wait()
		if len(r.subscriptions()) != 0 {
			t.Error("it is not forgotten")
		}
	})
}

// TestServiceThatWasThereIsAskedAgain has one that is restarted.
func TestServiceThatWasThereIsAskedAgain(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			p.fail(iq, "cancel", "service-unavailable")
			return true
		})
		r.Subscribe(news)
		r.want(p, "<subscribe ")
		next := r.want(p, "<subscribe ")
		synctest.Wait()
		if subs := take(r, &r.subs); !Unreachable(subs[len(subs)-1].err) {
			t.Errorf("outcomes: %+v", subs)
		}
		r.fake.answer(nil)
		if again := r.want(p, "<subscribe "); again.At.Sub(next.At) > retryMax {
			t.Errorf("asked again after %v", again.At.Sub(next.At))
		}
		r.wantAlive(p)
	})
}

// TestDroppingIsGivenUp has a service that never answers.
func TestDroppingIsGivenUp(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		r.fake.answer(func(_ *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<unsubscribe ") })
		r.Unsubscribe(news)
		for range maxDropTries + 1 {
			r.want(p, "<unsubscribe ")
		}
		time.Sleep(time.Hour)
		if len(r.subscriptions()) != 0 {
			t.Error("it is not forgotten")
		}
	})
}

// TestRenewalsHaveTheirTurn has somebody who asks for ever more nodes.
func TestRenewalsHaveTheirTurn(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool {
			time.AfterFunc(50*time.Millisecond, func() { p.result(iq, "") })
			return true
		})
		for i := range 200 {
			r.Subscribe(Node{fakeService, fmt.Sprint("old", i)})
		}
		time.Sleep(time.Minute)
		p.raw.reset()
		p = r.session()
		for i := range 200 {
			r.Subscribe(Node{fakeService, fmt.Sprint("more", i)})
		}
		r.wantSoon(p, "'more0'")
		more, old := 0, 0
		for range 80 {
			if strings.Contains(r.want(p, "<subscribe ").Inner, "'more") {
				more++
			} else {
				old++
			}
		}
		if old < 80/renewEvery-2 || more < 2*old {
			t.Errorf("%d renewals, %d new subscriptions", old, more)
		}
	})
}
