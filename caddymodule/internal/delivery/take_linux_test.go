package delivery

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

func TestCanTake(t *testing.T) {
	s := newStill(t)
	st := s.join(newStream(nil), beat, s.NewAudience())
	pipe, other := net.Pipe()
	defer other.Close()
	defer pipe.Close()
	piped, _ := secured(t, pipe, other)
	for _, c := range []net.Conn{pipe, piped, struct{ *net.TCPConn }{}} {
		if st.member.CanTake(c) {
			t.Errorf("%T can be taken over", c)
		}
	}
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		server, c := kind(t)
		defer server.Close()
		defer c.Close()
		if !st.member.CanTake(server) {
			t.Errorf("%T cannot be taken over", server)
		}
	})
}

// TestTake has many clients of several logs get what is appended to them.
func TestTake(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		const logs, each, before, events = 3, 10, 5, 300
		r := start(t)
		var reading sync.WaitGroup
		var streams []*stream
		var sources []*eventstream.Log
		var audiences []*Audience
		for range logs {
			l, a := r.source(wide)
			sources, audiences = append(sources, l), append(audiences, a)
			put(l, 1, before, 100)
			for range each {
				server, c := kind(t)
				cl := newClient(t, c)
				streams = append(streams, take(t, r, server, l, a))
				reading.Go(func() {
					if err := cl.until(events); err != nil {
						t.Error(err)
					}
					plain(c).Close()
				})
			}
		}
		for i, l := range sources {
			reading.Go(func() { put(l, before+1, events, 100*i) })
		}
		reading.Wait()
		for _, s := range streams {
			wantEnd(t, s, ErrGone)
		}
		for _, a := range audiences {
			wantStreams(t, a, 0)
		}
	})
}

// TestTakeJoins: what came together is one chunk, the same memory for all.
func TestTakeJoins(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		put(l, 1, 5, 10)
		server, c := kind(t)
		cl := newClient(t, c)
		st := take(t, s.rig, server, l, a)
		s.work()
		wantUntil(t, cl, 5)
		put(l, 6, 9, 10)
		s.work()
		wantUntil(t, cl, 9)
		if cl.chunks != 2 {
			t.Errorf("%d chunks, want 2", cl.chunks)
		}
		if n := st.reads.Load(); n != 2 {
			t.Errorf("it was read %d times, want 2", n)
		}
		l.Close()
		s.work()
		wantFinished(t, cl, true)
		wantEnd(t, st, ErrEnd)
	})
}

// TestTakeReadsOn: a stream that is behind gets all without being told again,
// and others have their turn meanwhile.
func TestTakeReadsOn(t *testing.T) {
	s := newStill(t)
	s.loop.joiner.Max = 1 // an event at a time
	l, a := s.source(wide)
	put(l, 1, 10, 100)
	server, c := tcp(t)
	cl := newClient(t, c)
	st := take(t, s.rig, server, l, a)
	for i := range 5 {
		if s.loop.round(); int(st.at) > 2*(i+1) {
			t.Fatalf("it has %d events after %d rounds", st.at, i+1)
		}
	}
	s.work()
	wantUntil(t, cl, 10)
	l.Close()
	s.work()
	wantFinished(t, cl, true)
	wantEnd(t, st, ErrEnd)
}

// TestTakeAfterTheEnd: the stream was told that it is over before its connection
// was handed over.
func TestTakeAfterTheEnd(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	put(l, 1, 1, 10)
	st := newStream(l)
	st.words = "last words\n"
	s.join(st, beat, a)
	st.end(errTest)
	s.passTime(0)
	s.passTime(0)
	if err := st.member.Over(); !errors.Is(err, errTest) {
		t.Fatalf("over: %v, want %v", err, errTest)
	}
	server, c := tcp(t)
	st.member.Take(server)
	s.work()
	cl := newClient(t, c)
	wantFinished(t, cl, false)
	if len(cl.said) != 1 || cl.said[0] != st.words || cl.last != 0 {
		t.Errorf("it was told %q and %d events, want the last words alone", cl.said, cl.last)
	}
	wantEnd(t, st, errTest)
}

// TestTakeClosed: a connection that cannot be taken over any more.
func TestTakeClosed(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		server, c := kind(t)
		newClient(t, c)
		plain(server).Close()
		st := take(t, s.rig, server, l, a)
		s.work()
		wantEnd(t, st, net.ErrClosed)
		wantStreams(t, a, 0)
	})
}

// TestComeAndGo has clients come and go while events flow: each gets all from
// where it began.
func TestComeAndGo(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		const places, turns = 8, 12
		r := start(t)
		l, a := r.source(wide)
		var mu sync.Mutex
		events := 0
		var going sync.WaitGroup
		for place := range places {
			random := rand.New(rand.NewPCG(uint64(place), 0))
			going.Go(func() {
				for range turns {
					server, c := kind(t)
					cl := newClient(t, c)
					st := newStream(l)
					st.at = l.Replay(0).Next
					cl.last = int(st.at)
					takeStream(t, r, server, st, a)
					n := random.IntN(100)
					want := cl.last + n
					for range n {
						mu.Lock()
						events++
						put(l, events, events, 50)
						mu.Unlock()
					}
					for cl.last < want {
						if _, err := cl.next(); err != nil {
							t.Errorf("after the event %d: %v", cl.last, err)
							break
						}
					}
					plain(c).Close()
					<-st.ended
				}
			})
		}
		going.Wait()
		wantStreams(t, a, 0)
	})
}

// TestHeartbeat: a chunk that says nothing comes after a silent time, and none
// while there is something to say.
func TestHeartbeat(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		server, c := kind(t)
		cl := newClient(t, c)
		st := take(t, s.rig, server, l, a)
		s.work()
		const silent = beat - maxTick
		for i := 1; i <= 10; i++ {
			s.passTime(silent - 10*time.Second)
			put(l, i, i, 10)
			s.work()
		}
		wantUntil(t, cl, 10)
		s.passTime(silent - time.Second)
		put(l, 11, 11, 10)
		s.work()
		wantUntil(t, cl, 11)
		if cl.beats > 0 {
			t.Errorf("%d heartbeats while events flowed, want none", cl.beats)
		}
		for range 3 {
			s.passTime(silent - time.Second)
			s.passTime(time.Second)
			s.passTime(time.Second)
		}
		put(l, 12, 12, 10)
		s.work()
		wantUntil(t, cl, 12)
		if cl.beats != 3 {
			t.Errorf("%d heartbeats in the silence, want 3", cl.beats)
		}
		c.Close()
		s.until(t, "the end", func() bool { return len(st.ended) > 0 })
		wantEnd(t, st, ErrGone)
	})
}

// TestNothingIsAllocated: as long as a client keeps up, what is written to it
// costs no memory, one event or several at a time.
func TestNothingIsAllocated(t *testing.T) {
	for _, burst := range []int{1, 5} {
		few, lots := allocs(t, 1, burst), allocs(t, 300, burst)
		if each := (lots - few) / 299; each > 0.05 {
			t.Errorf("%d events: %.2f allocations for each stream (%.0f for 300, %.0f for one), want none", burst, each, lots, few)
		}
	}
}

// allocs returns how many allocations it takes to write so many events at once
// to so many streams.
func allocs(t *testing.T, streams, burst int) float64 {
	s := newStill(t)
	l, a := s.source(eventstream.Bounds{Events: 64, Bytes: 1 << 20})
	fds := takeMany(t, s.rig, streams, l, a)
	s.work()
	i := 0
	buf := make([]byte, 64<<10)
	step := func() {
		put(l, i+1, i+burst, 10)
		i += burst
		s.work()
		for _, fd := range fds {
			drain(t, fd, buf)
		}
	}
	step()
	return testing.AllocsPerRun(50, step)
}

func TestClose(t *testing.T) {
	New().Close() // nothing was started

	r := start(t) // the cleanup closes it, and TestMain sees what is left
	l, a := r.source(wide)
	server, c := tcp(t)
	cl := newClient(t, c)
	take(t, r, server, l, a)
	put(l, 1, 1, 10)
	wantUntil(t, cl, 1)
	t.Cleanup(func() { server.Close() })
}
