package delivery

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test of an engine whose time passes at once. It has no
// connections, which do not go with that.
func inBubble(t *testing.T, test func(*testing.T, *rig)) {
	t.Helper()
	before := epoch
	defer func() { epoch = before }()
	synctest.Test(t, func(t *testing.T) {
		epoch = time.Now().Add(-time.Hour)
		r := &rig{Engine: New()}
		r.begin = sync.OnceFunc(func() {
			for _, l := range r.loops {
				r.running.Go(l.run)
			}
			r.begun.Store(true)
		})
		defer r.close(t)
		test(t, r)
	})
}

// joined returns a stream that has joined for sure, and its audience.
func joined(r *rig, heartbeat time.Duration) (*stream, *Audience) {
	a := r.NewAudience()
	s := r.join(newStream(nil), heartbeat, a)
	r.Review(patience)
	<-s.member.Woken() // to look what it may have missed
	return s, a
}

// wantWoken wants the goroutine of a stream to be woken within a time, and not
// before.
func wantWoken(t *testing.T, s *stream, from, to time.Duration) {
	t.Helper()
	wantWithin(t, s.member.Woken(), "being woken", from, to)
}

func wantWithin[T any](t *testing.T, c <-chan T, what string, from, to time.Duration) {
	t.Helper()
	began := time.Now()
	select {
	case <-c:
		if took := time.Since(began); took < from {
			t.Errorf("%s took %v, want %v at least", what, took, from)
		}
	case <-time.After(to + 1):
		t.Errorf("%s takes more than %v", what, to)
	}
}

// wantAsleep wants the goroutine of a stream not to be woken for a time.
func wantAsleep(t *testing.T, s *stream, d time.Duration) {
	t.Helper()
	select {
	case <-s.member.Woken():
		t.Error("it was woken")
	case <-time.After(d):
	}
}

func TestNotifyWakes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, a := joined(r, beat)
		other, _ := joined(r, beat)
		for range 10 {
			a.Notify()
			wantWoken(t, s, 0, 0)
			wantAsleep(t, s, 0)
		}
		for range 10 {
			a.Notify()
		}
		wantWoken(t, s, 0, 0)
		wantAsleep(t, other, time.Hour)
		s.member.Leave()
		other.member.Leave()
	})
}

// TestNotifyAtJoin: who is told next to joining does not wait for the clock.
func TestNotifyAtJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		a := r.NewAudience()
		s := r.join(newStream(nil), beat, a)
		a.Notify()
		wantWoken(t, s, 0, 0)
		s.member.Leave()
	})
}

func TestSeveralAudiences(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		all := []*Audience{r.NewAudience(), r.NewAudience(), r.NewAudience()}
		s := r.join(newStream(nil), beat, all...)
		for _, a := range all {
			a.Notify()
			wantWoken(t, s, 0, 0)
			wantStreams(t, a, 1)
		}
		s.member.Leave()
		r.Review(patience)
		for _, a := range all {
			wantStreams(t, a, 0)
		}
	})
}

func TestLeave(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, a := joined(r, beat)
		stays := r.join(newStream(nil), beat, a)
		var asked atomic.Int64
		s.whenAsked(func() error { asked.Add(1); return nil })
		s.member.WakeAt(time.Now().Add(time.Second))
		s.member.Leave()
		a.Notify()
		wantWoken(t, stays, 0, 0)
		wantStreams(t, a, 1)
		wantAsleep(t, s, time.Hour)
		if n := asked.Load(); n > 0 {
			t.Errorf("it was asked %d times whether it is over", n)
		}
		stays.member.Leave()
		r.Review(patience)
		wantStreams(t, a, 0)
	})
}

func TestWakeAt(t *testing.T) {
	for _, heartbeat := range []time.Duration{80 * time.Millisecond, 4 * time.Second, time.Hour} {
		inBubble(t, func(t *testing.T, r *rig) {
			long, _ := joined(r, 2*time.Hour) // a stream that needs it less exactly
			s, a := joined(r, heartbeat)
			for _, d := range []time.Duration{heartbeat / 3, heartbeat, 10 * heartbeat} {
				s.member.WakeAt(time.Now().Add(d))
				wantWoken(t, s, d, d+Slack(heartbeat))
				wantAsleep(t, s, 20*heartbeat)
			}
			s.member.WakeAt(time.Now().Add(-time.Second))
			wantWoken(t, s, 0, Slack(heartbeat))
			a.Notify()
			wantWoken(t, s, 0, 0)
			s.member.Leave()
			long.member.Leave()
		})
	}
}

// TestTick: the loop looks as often as the most exact of its streams needs, and
// not at all without any.
func TestTick(t *testing.T) {
	s := newStill(t)
	a := s.NewAudience()
	want := func(what string, want time.Duration) {
		t.Helper()
		if s.work(); s.loop.tick != want {
			t.Errorf("%s: it looks every %v, want %v", what, s.loop.tick, want)
		}
	}
	want("nobody", 0)
	long := s.join(newStream(nil), time.Hour, a)
	want("one", maxTick)
	short := s.join(newStream(nil), time.Second, a)
	want("a more exact one", time.Second/8)
	other := s.join(newStream(nil), 4*time.Second, a)
	want("a less exact one", time.Second/8)
	short.member.Leave()
	s.passTime(0)
	s.passTime(0)
	want("the most exact has left", time.Second/2)
	other.member.Leave()
	long.member.Leave()
	s.passTime(0)
	s.passTime(0)
	want("all have left", 0)
}

func TestOver(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, a := joined(r, beat)
		if err := s.member.Over(); err != nil {
			t.Errorf("over: %v, want nil", err)
		}
		var asked atomic.Int64
		s.whenAsked(func() error { asked.Add(1); return nil })
		wantAsleep(t, s, 10*time.Second)
		if n := asked.Load(); n < 9 || n > 11 {
			t.Errorf("asked %d times in 10 s, want about every second", n)
		}
		s.end(errTest)
		wantWoken(t, s, 0, maxTick)
		if err := s.member.Over(); !errors.Is(err, errTest) {
			t.Errorf("over: %v, want %v", err, errTest)
		}
		asked.Store(0)
		wantAsleep(t, s, 10*time.Second)
		if asked.Load() > 0 {
			t.Error("it is asked again after it said that it is over")
		}
		a.Notify()
		wantWoken(t, s, 0, 0)
		s.member.Leave()
	})
}

func TestReview(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var all []*stream
		for range 4 * together {
			a := r.NewAudience()
			all = append(all, r.join(newStream(nil), beat, a))
		}
		for _, s := range all {
			s.end(errTest)
		}
		began := time.Now()
		r.Review(patience)
		for _, s := range all {
			if s.member.Over() == nil {
				t.Fatal("a stream was not asked")
			}
			wantWoken(t, s, 0, 0)
			s.member.Leave()
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

func TestReviewWithoutStreams(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		began := time.Now()
		r.Review(patience)
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

// TestReviewIsBounded: it does not wait longer than it is told, whatever the
// loops do.
func TestReviewIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, _ := joined(r, beat)
		release := make(chan struct{})
		s.whenAsked(func() error { <-release; return nil })
		began := time.Now()
		r.Review(3 * time.Second)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v, want 3s", took)
		}
		close(release)
		s.member.Leave()
	})
}

func TestInterrupt(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, _ := joined(r, beat)
		s.member.BeginWrite()
		time.Sleep(writeFor / 2)
		s.member.EndWrite()
		s.member.BeginWrite()
		wantWithin(t, s.interrupted, "the interrupt", writeFor, writeFor+2*maxTick)
		s.member.EndWrite()
		time.Sleep(2 * maxTick)
		select {
		case <-s.interrupted:
		default:
		}
		wantWithinNone(t, s.interrupted, 5*writeFor)
		s.member.Leave()
	})
}

// TestInterruptAtTheEnd: a stream that is over may write what it has to say, but
// not for long.
func TestInterruptAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s, _ := joined(r, beat)
		s.end(errTest)
		r.Review(patience)
		wantWithinNone(t, s.interrupted, 5*writeFor) // it does not write
		s.member.BeginWrite()
		wantWithin(t, s.interrupted, "the interrupt", 0, maxTick)
		s.member.Leave()

		s, _ = joined(r, beat)
		s.member.BeginWrite()
		time.Sleep(writeFor / 4)
		s.end(errTest)
		r.Review(patience)
		wantWithin(t, s.interrupted, "the interrupt", endFor, endFor+2*maxTick)
		s.member.Leave()
	})
}

func wantWithinNone[T any](t *testing.T, c <-chan T, d time.Duration) {
	t.Helper()
	select {
	case <-c:
		t.Error("it was interrupted")
	case <-time.After(d):
	}
}

// TestNoWakeUpIsLost has streams look at what others change at the same time.
// There is no wake-up after the last change that would make up for a lost one.
func TestNoWakeUpIsLost(t *testing.T) {
	const readers, writers, rounds = 50, 4, 300
	r := start(t)
	audiences := []*Audience{r.NewAudience(), r.NewAudience()}
	var all []*stream
	for i := range readers {
		all = append(all, r.join(newStream(nil), beat, audiences[:1+i%2]...))
	}
	r.Review(patience)
	var changes atomic.Int64
	for round := range int64(rounds) {
		var going sync.WaitGroup
		for _, s := range all {
			going.Go(func() {
				for changes.Load() < (round+1)*writers {
					select {
					case <-s.member.Woken():
					case <-time.After(patience):
						t.Error("a wake-up was lost")
						return
					}
				}
			})
		}
		for range writers {
			going.Go(func() {
				changes.Add(1)
				audiences[0].Notify()
			})
		}
		if going.Wait(); t.Failed() {
			break
		}
	}
	for _, s := range all {
		s.member.Leave()
	}
	r.Review(patience)
	for _, a := range audiences {
		wantStreams(t, a, 0)
	}
}

// TestJoinAloneIsSeen: the first stream on a loop has its time kept though
// nothing is told to anybody.
func TestJoinAloneIsSeen(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		s := r.join(newStream(nil), beat, r.NewAudience())
		wantWoken(t, s, 0, 0) // for what it may have missed
		s.member.WakeAt(time.Now().Add(5 * time.Second))
		wantWoken(t, s, 5*time.Second, 5*time.Second+Slack(beat))
		s.end(errTest)
		wantWoken(t, s, 0, maxTick)
		s.member.BeginWrite()
		wantWithin(t, s.interrupted, "the interrupt", 0, 2*maxTick)
		s.member.Leave()
	})
}

// TestJoinBeforeANotify: who has joined hears what is told then, though another
// told the loop before that, which has not come to it yet.
func TestJoinBeforeANotify(t *testing.T) {
	s := newStill(t)
	a := s.NewAudience()
	first, second := newStream(nil), newStream(nil)
	s.join(first, beat, a)
	s.work()
	first.whenAsked(func() error { // as if another goroutine did it while the loop looks
		if second.member.loop == nil {
			s.join(second, beat, a)
			a.Notify()
		}
		return nil
	})
	a.Notify()
	s.loop.review(make(chan struct{}, 1))
	s.work()
	s.work() // if it was woken
	if len(first.member.Woken()) == 0 || len(second.member.Woken()) == 0 {
		t.Error("a wake-up was lost")
	}
}
