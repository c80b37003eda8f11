package xmppclient

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// resumable runs f once the client is subscribed to news at a server that
// manages streams.
func resumable(t *testing.T, f func(r *rig, p *peer)) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.fake.managing = true
		r.run()
		p := r.session()
		r.Subscribe(news)
		r.want(p, "<subscribe node='news'")
		synctest.Wait()
		f(r, p)
	})
}

// wantLinks checks what OnLink was told so far.
func (r *rig) wantLinks(want ...Link) {
	r.t.Helper()
	synctest.Wait()
	var got []Link
	for _, l := range take(r, &r.links) {
		got = append(got, l.state)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("the link was %v, want %v", take(r, &r.links), want)
	}
}

// wantResumed waits for the session to go on, at a server that knew that so
// many stanzas were handled.
func (r *rig) wantResumed(handled int) *peer {
	r.t.Helper()
	before := r.fake.managed()
	p := r.session()
	resumes := r.fake.resumed()
	if len(resumes) == 0 || p.managed() != before {
		r.t.Fatal("the session was not resumed")
	}
	if last := resumes[len(resumes)-1]; last.H != strconv.Itoa(handled) || last.PrevID != before.id {
		r.t.Errorf("asked to resume %q after %s stanzas, want %q after %d", last.PrevID, last.H, before.id, handled)
	}
	if links := take(r, &r.links); links[len(links)-1].state != Resumed || links[len(links)-1].err != nil {
		r.t.Errorf("the link is %+v, want resumed", links)
	}
	return p
}

func (f *fake) managed() *managed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// wantNow wants the events not to count as delayed.
func (r *rig) wantNow() {
	r.t.Helper()
	for _, ev := range take(r, &r.events) {
		if !ev.Delayed.IsZero() {
			r.t.Errorf("item %q is said to be of %v", ev.Item.ID, ev.Delayed)
		}
	}
}

// losses are the ways to lose a link that do not end the session.
var losses = map[string]func(p *peer){
	"reset":          func(p *peer) { p.raw.reset() },
	"cut":            func(p *peer) { _ = p.raw.Close() },
	"goodbye of TLS": func(p *peer) { _ = p.conn.Close() },
	"half a stanza":  func(p *peer) { p.last("<message from='") },
	"silence":        func(p *peer) { p.hang() },
}

func TestSessionIsResumed(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			resumable(t, func(r *rig, p *peer) {
				p.publish("news", "1", "")
				synctest.Wait()
				handled, enabled := p.sent(), p.managed()
				lose(p)
				if name != "silence" { // then it would arrive
					p.publish("news", "2", "")
					p.publish("news", "3", "")
				}
				p = r.wantResumed(handled)
				if p.managed() != enabled || p.bound != "gateway@example.org/web" {
					t.Errorf("the session is %+v of %s", p.managed(), p.bound)
				}
				if name == "silence" {
					p.publish("news", "2", "")
					p.publish("news", "3", "")
				}
				p.publish("news", "4", "")
				r.wantEvents("1", "2", "3", "4")
				r.wantNow()
				r.wantLinks(Up, Down, Resumed)
				if asked := subscribing(p); len(asked) != 0 {
					t.Errorf("asked for what stands: %v", asked)
				}
				r.wantOutcomes(1)
				r.wantAlive(p)
			})
		})
	}
}

// TestManyLosses loses the link while stanzas come, anywhere in them.
func TestManyLosses(t *testing.T) {
	const losses, each = 30, 20
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	resumable(t, func(r *rig, p *peer) {
		var want []string
		for i := range losses {
			cut := random.IntN(each)
			for j := range each {
				id := fmt.Sprint(i, ".", j)
				want = append(want, id)
				stanza := eventXML("news", "<item id='"+id+"'><a xmlns='urn:a'>it's &lt;it&gt;</a></item>")
				switch random.IntN(4) {
				case 0:
					p.stanza("<presence from='a@b/c'/>")
				case 1:
					p.stanza("<iq type='get' id='" + id + "' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
				case 2:
					p.send("<r xmlns='" + nsSM + "'/>")
				}
				if j != cut {
					p.stanza(stanza)
					continue
				}
				if random.IntN(2) == 0 {
					synctest.Wait()
				}
				p.part(stanza, random.IntN(len(stanza)+1))
				if random.IntN(2) == 0 {
					_ = p.raw.Close()
				} else {
					p.raw.reset()
				}
			}
			p = r.session()
		}
		r.wantEvents(want...)
		r.wantNow()
		if n := len(r.fake.resumed()); n != losses {
			t.Errorf("%d times resumed, want %d", n, losses)
		}
		r.wantHandled(p)
		r.wantOutcomes(1)
	})
}

// An event counts as delayed if the service says so, and not if the server does
// for the stanzas that it sends again.
func TestDelayOfTheLinkIsNone(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		delayed := strings.Replace(eventXML("news", "<item id='x'/>"), "</message>", delayXML+"</message>", 1)
		p.stanza(delayed)
		synctest.Wait()
		r.fake.answer(ignore)
		p.raw.reset()
		p.publish("news", "1", "")
		p = r.wantResumed(p.sent() - 1)
		ping := r.want(p, "<ping ")
		if ping.To != fakeDomain || ping.Type != "get" {
			t.Errorf("got %+v, want a ping of the server", ping)
		}
		p.stanza(delayed)
		r.wantEvents("x", "1", "x")
		p.result(ping, "")
		p.stanza(delayed)
		p.fail(ping, "cancel", "service-unavailable") // which it may be as well
		p.stanza(delayed)
		synctest.Wait()
		for i, ev := range take(r, &r.events) {
			if want := i == 0 || i > 2; ev.Delayed.IsZero() == want {
				t.Errorf("event %d, of item %s, is of %v", i, ev.Item.ID, ev.Delayed)
			}
		}
		r.wantEvents("x", "1", "x", "x", "x")
	})
}

func TestErrorIsAnAnswerToTheBarrier(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		r.fake.answer(func(p *peer, iq iqIn) bool { p.fail(iq, "cancel", "service-unavailable"); return true })
		p.raw.reset()
		p = r.session()
		p.stanza(strings.Replace(eventXML("news", "<item id='x'/>"), "</message>", delayXML+"</message>", 1))
		r.wantEvents("x")
		if ev := take(r, &r.events)[0]; ev.Delayed.IsZero() {
			t.Error("the event does not count as delayed")
		}
	})
}

// wantFresh waits for a session that is a new one, with all that needs.
func (r *rig) wantFresh() *peer {
	r.t.Helper()
	p := r.session()
	r.want(p, "<subscribe node='news'")
	synctest.Wait()
	links := take(r, &r.links)
	if last := links[len(links)-1]; last.state != Up {
		r.t.Errorf("the link is %v, want up", last.state)
	}
	r.wantAlive(p)
	return p
}

func TestSessionThatTheServerForgot(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.managing = true
		r.telling()
		r.run()
		p := r.session()
		for i := range 20 {
			r.Subscribe(Node{fakeService, fmt.Sprint("n", i)})
		}
		r.Subscribe(news)
		synctest.Wait()
		r.fake.forget()
		dials := len(r.fake.dialled())
		p.raw.reset()
		p = r.session()
		synctest.Wait()
		if n := len(subscribing(p)); n != 21 {
			t.Errorf("%d subscriptions were asked for, want all 21", n)
		}
		if n := len(take(r, &r.items)); n != 2*21 {
			t.Errorf("OnItems was called %d times, want 42", n)
		}
		r.wantOutcomes(2 * 21)
		r.wantLinks(Up, Down, Up)
		if n := len(r.fake.dialled()) - dials; n != 1 || len(r.fake.resumed()) != 1 {
			t.Errorf("%d connections and %d attempts to resume, want one", n, len(r.fake.resumed()))
		}
		r.wantAlive(p)
		r.wantHandled(p)

		p.raw.reset()
		p.publish("news", "later", "")
		p = r.wantResumed(p.sent() - 1)
		r.wantEvents("alive", "later")
		r.wantHandled(p)
	})
}

// TestServerThatDoesNotSay has one that hangs up in place of an answer, as
// Prosody does once if too much was missed.
func TestServerThatDoesNotSay(t *testing.T) {
	for name, hangUp := range map[string]func(p *peer){
		"reset":           func(p *peer) { p.raw.reset() },
		"half an answer":  func(p *peer) { p.last("<resumed xmlns='" + nsSM + "' ") },
		"a stanza":        func(p *peer) { p.last("<message/>") },
		"something else":  func(p *peer) { p.last("<resumed xmlns='urn:x'/>") },
		"something of SM": func(p *peer) { p.last("<enabled xmlns='" + nsSM + "'/>") },
		"silence":         func(p *peer) { p.silent() },
	} {
		t.Run(name, func(t *testing.T) {
			resumable(t, func(r *rig, p *peer) {
				handled, id := strconv.Itoa(p.sent()), p.managed().id
				r.fake.resuming(func(p *peer) bool { hangUp(p); return false })
				p.raw.reset()
				r.wantFresh()
				resumes := r.fake.resumed()
				if len(resumes) != maxResumeTries {
					t.Errorf("%d attempts to resume, want %d", len(resumes), maxResumeTries)
				}
				for _, el := range resumes {
					if el.H != handled || el.PrevID != id {
						t.Errorf("asked to resume %q after %s, want %q after %s", el.PrevID, el.H, id, handled)
					}
				}
			})
		})
	}
	t.Run("twice", func(t *testing.T) {
		resumable(t, func(r *rig, p *peer) {
			for range 5 { // it may be so at each loss
				handled := p.sent()
				var tries atomic.Int64
				r.fake.resuming(func(p *peer) bool {
					last := tries.Add(1) == maxResumeTries
					if !last {
						p.raw.reset()
					}
					return last
				})
				p.raw.reset()
				p = r.wantResumed(handled)
				synctest.Wait()
			}
		})
	})
}

// resuming has f deal with the requests to resume that come from now on.
func (f *fake) resuming(onResume func(p *peer) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onResume = onResume
}

func TestServerThatCannotResume(t *testing.T) {
	for name, test := range map[string]struct {
		managing bool
		enabled  string
		later    bool // whether it manages streams when we come back
	}{
		"no stream management": {false, "", false},
		"no resumption":        {true, "<enabled xmlns='" + nsSM + "'/>", true},
		"false":                {true, "<enabled xmlns='" + nsSM + "' resume='false' id='x'/>", true},
		"no id":                {true, "<enabled xmlns='" + nsSM + "' resume='true'/>", true},
		"refused":              {true, "<failed xmlns='" + nsSM + "'><unexpected-request xmlns='" + nsStanzas + "'/></failed>", true},
		"no more management":   {true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.managing, r.fake.management.enabled = test.managing, test.enabled
				r.run()
				p := r.session()
				r.Subscribe(news)
				synctest.Wait()
				r.wantAlive(p)
				for len(p.got) > 0 {
					if el := <-p.got; !test.managing && el.XMLName.Space == nsSM {
						t.Errorf("%+v was sent to a server that knows nothing of it", el)
					}
				}
				r.fake.managing = test.later
				p.raw.reset()
				p = r.session()
				r.wantLinks(Up, Down, Up)
				r.fake.managing = true // again, but what there was is gone
				p.raw.reset()
				r.session()
				if resumes := r.fake.resumed(); len(resumes) != 0 {
					t.Errorf("asked to resume %+v", resumes)
				}
			})
		})
	}
}

func TestResumptionSpelledWithOne(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.managing, r.fake.management.enabled = true, "<enabled xmlns='"+nsSM+"' resume='1' id='one'/>"
		r.run()
		p := r.session()
		p.raw.reset()
		r.session()
		if resumes := r.fake.resumed(); len(resumes) != 1 || resumes[0].PrevID != "one" {
			t.Errorf("asked to resume %+v, want one", resumes)
		}
	})
}

func TestLoggingOutEndsTheSession(t *testing.T) {
	wantClosed := func(t *testing.T, p *peer) {
		t.Helper()
		<-p.ended
		if p.cause == nil || !strings.Contains(p.cause.Error(), "unexpected end element </stream>") {
			t.Errorf("the server read %v, want the end of the stream", p.cause)
		}
	}
	t.Run("at once", func(t *testing.T) {
		resumable(t, func(r *rig, p *peer) {
			r.end()
			r.want(p, "<unsubscribe node='news'")
			wantClosed(t, p)
		})
	})
	t.Run("after a loss", func(t *testing.T) {
		resumable(t, func(r *rig, p *peer) {
			p.raw.reset()
			p = r.session()
			r.end()
			r.want(p, "<unsubscribe node='news'")
			wantClosed(t, p)
		})
	})
	t.Run("during a loss", func(t *testing.T) {
		resumable(t, func(r *rig, p *peer) {
			r.fake.setDown(true)
			p.raw.reset()
			time.Sleep(time.Minute)
			began := time.Now()
			r.end()
			if d := time.Since(began); d != 0 {
				t.Errorf("Run returned after %v", d)
			}
		})
	})
	t.Run("while it resumes", func(t *testing.T) {
		resumable(t, func(r *rig, p *peer) {
			r.fake.resuming(func(p *peer) bool { return p.silent() })
			p.raw.reset()
			time.Sleep(2 * time.Second)
			began := time.Now()
			r.end()
			if d := time.Since(began); d != 0 || len(r.fake.resumed()) != 1 {
				t.Errorf("Run returned after %v, and %d attempts to resume", d, len(r.fake.resumed()))
			}
		})
	})
}
