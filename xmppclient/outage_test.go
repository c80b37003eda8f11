package xmppclient

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// requested returns which of the stanzas that came at p are requests to the
// service, as the name of what is asked and of the node.
func requested(p *peer) (asked []string) {
	synctest.Wait()
	for len(p.got) > 0 {
		iq := <-p.got
		for _, what := range []string{"subscribe", "unsubscribe", "items"} {
			if strings.Contains(iq.Inner, "<"+what+" ") {
				asked = append(asked, what+" "+attrOf(iq.Inner, "node"))
			}
		}
	}
	return asked
}

// wantRequested wants just these requests to the service to have come at p.
func (r *rig) wantRequested(p *peer, want ...string) {
	r.t.Helper()
	if got := requested(p); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("the requests are %q, want %q", got, want)
	}
}

// TestSubscriptionsOverAnOutage has one node for each state that a subscription
// can be in when the link is lost. After it only that is made up for which was
// not done.
func TestSubscriptionsOverAnOutage(t *testing.T) {
	other := Node{fakeService, "other"}
	for name, test := range map[string]struct {
		before  func(r *rig, p *peer) // until the loss
		outage  func(r *rig)
		want    []string // what is asked for after it
		outcome int      // how many more outcomes there are
	}{
		"standing": {want: nil},
		"asked for": {
			before: func(r *rig, p *peer) { r.fake.answer(ignore); r.Subscribe(other) },
			want:   []string{"subscribe other", "items other"}, outcome: 2, // the loss is one
		},
		"items asked for": {
			before: func(r *rig, p *peer) {
				r.fake.answer(func(p *peer, iq iqIn) bool { return strings.Contains(iq.Inner, "<items ") })
				r.Subscribe(other)
			},
			want: []string{"subscribe other", "items other"}, outcome: 2,
		},
		"being renewed": {
			before: func(r *rig, p *peer) { r.fake.answer(ignore); r.Subscribe(news) },
			want:   []string{"subscribe news", "items news"}, outcome: 2,
		},
		"to be tried again": {
			before: func(r *rig, p *peer) {
				r.fake.answer(func(p *peer, iq iqIn) bool { p.fail(iq, "wait", "resource-constraint"); return true })
				r.Subscribe(other)
			},
			want: []string{"subscribe other", "items other"}, outcome: 2,
		},
		"refused": {
			before: func(r *rig, p *peer) {
				r.fake.answer(func(p *peer, iq iqIn) bool { p.fail(iq, "auth", "forbidden"); return true })
				r.Subscribe(other)
			},
			want: nil, outcome: 1,
		},
		"asked for in the outage": {
			outage: func(r *rig) { r.Subscribe(other) },
			want:   []string{"subscribe other", "items other"}, outcome: 1,
		},
		"asked for once more in the outage": {
			outage: func(r *rig) { r.Subscribe(news) },
			want:   []string{"subscribe news", "items news"}, outcome: 1,
		},
		"given up in the outage": {
			outage: func(r *rig) { r.Unsubscribe(news) },
			want:   []string{"unsubscribe news"},
		},
		"given up and asked for in the outage": {
			outage: func(r *rig) { r.Unsubscribe(news); r.Subscribe(news) },
			want:   []string{"subscribe news", "items news"}, outcome: 1,
		},
		"being given up": {
			before: func(r *rig, p *peer) { r.fake.answer(ignore); r.Unsubscribe(news) },
			want:   []string{"unsubscribe news"},
		},
		"given up while asked for": {
			before: func(r *rig, p *peer) { r.fake.answer(ignore); r.Subscribe(news); synctest.Wait(); r.Unsubscribe(news) },
			want:   []string{"unsubscribe news"},
		},
		"ended by the service": {
			before: func(r *rig, p *peer) {
				p.stanza("<message from='" + fakeService + "'><event xmlns='" + nsPubSubEvent + "'><delete node='news'/></event></message>")
			},
			want: nil,
		},
	} {
		for way, forgotten := range map[string]bool{"resumed": false, "forgotten": true} {
			t.Run(name+", "+way, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.fake.managing = true
					r.telling()
					r.run()
					p := r.session()
					r.Subscribe(news)
					synctest.Wait()
					if test.before != nil {
						test.before(r, p)
						synctest.Wait()
					}
					handled := p.sent()
					r.fake.answer(nil)
					if forgotten {
						r.fake.forget()
					}
					r.fake.setDown(true)
					p.raw.reset()
					time.Sleep(time.Minute)
					if test.outage != nil {
						test.outage(r)
					}
					r.fake.setDown(false)
					want := test.want
					if forgotten {
						p = r.session()
						if len(want) == 0 && len(r.subscriptions()) > 0 {
							want = []string{"subscribe news", "items news"}
						} else if len(want) > 0 && strings.HasSuffix(want[0], "other") {
							r.wantBoth(p)
							return
						}
					} else {
						p = r.wantResumed(handled)
					}
					r.wantRequested(p, want...)
					if !forgotten {
						r.wantOutcomes(1 + test.outcome)
					}
					time.Sleep(10 * time.Minute)
					r.wantRequested(p) // no more
					r.wantHandled(p)
				})
			})
		}
	}
}

// wantBoth wants news and other to be asked for, in whatever order.
func (r *rig) wantBoth(p *peer) {
	r.t.Helper()
	asked := strings.Join(requested(p), ",") + ","
	for _, want := range []string{"subscribe news,", "subscribe other,", "items news,", "items other,"} {
		if strings.Count(asked, want) != 1 {
			r.t.Errorf("the requests are %q, want one %q", asked, want)
		}
	}
}

// TestRenewalsGoOnOverOutages loses the link once in a while for hours.
func TestRenewalsGoOnOverOutages(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		last, renewed := time.Now(), 0
		for range 40 {
			time.Sleep(7 * time.Minute)
			for _, iq := range subscribing(p) {
				if d := iq.At.Sub(last); d < renewAfter*3/4 || d > renewAfter*5/4+time.Minute {
					t.Errorf("renewed after %v", d)
				}
				last, renewed = iq.At, renewed+1
			}
			p.raw.reset()
			p = r.session()
		}
		if renewed < 6 || renewed > 13 {
			t.Errorf("renewed %d times in 280 minutes", renewed)
		}
	})
}
