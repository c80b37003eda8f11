package delivery

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// TestParked: a client that does not read costs others nothing, and gets all
// when it reads.
func TestParked(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		slow, slowClient := parked(t, s, kind, l, a)
		server, c := kind(t)
		fast := newStream(l)
		fast.at = 1
		takeStream(t, s.rig, server, fast, a)
		cl := newClient(t, c)
		cl.last = 1
		reads := slow.reads.Load()
		for i := 2; i <= 100; i++ {
			put(l, i, i, 10)
			s.work()
			wantUntil(t, cl, i)
		}
		if n := slow.reads.Load(); n != reads {
			t.Errorf("it was read %d times for a connection that is full", n-reads)
		}
		read := make(chan error, 1)
		go func() { read <- slowClient.until(100) }()
		s.until(t, "all to be written", func() bool { return slow.at == 100 })
		if err := receive(t, read, "all to be read"); err != nil {
			t.Error(err)
		}
		if slowClient.chunks != 2 {
			t.Errorf("it came as %d chunks, want the one that was begun, and one with all it missed", slowClient.chunks)
		}
		put(l, 101, 101, 10)
		s.work()
		wantUntil(t, cl, 101)
		wantUntil(t, slowClient, 101)
		l.Close()
		s.work()
		wantFinished(t, cl, true)
		wantFinished(t, slowClient, true)
		wantEnd(t, fast, ErrEnd)
		wantEnd(t, slow, ErrEnd)
	})
}

// TestLagged: what a client wants that reads again is no longer retained.
func TestLagged(t *testing.T) {
	s := newStill(t)
	l, a := s.source(eventstream.Bounds{Events: 5, Bytes: 1 << 30})
	st, cl := parked(t, s, tcp, l, a)
	put(l, 2, 10, 10)
	s.work()
	read := make(chan error, 1)
	go func() { read <- cl.until(1) }() // that was begun
	s.until(t, "the end", func() bool { return len(st.ended) > 0 })
	if err := receive(t, read, "the first event"); err != nil {
		t.Fatal(err)
	}
	wantFinished(t, cl, false)
	if n := wantEnd(t, st, eventstream.ErrLagged); n != cl.bytes {
		t.Errorf("%d bytes were written, %d came", n, cl.bytes)
	}
}

// TestSlow: who does not read what was written is cut in time, and not before.
func TestSlow(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		st, cl := parked(t, s, kind, l, a)
		s.passTime(writeFor - time.Second)
		if len(st.ended) > 0 {
			t.Fatal("it was cut too early")
		}
		s.passTime(2 * time.Second)
		written := wantEnd(t, st, ErrSlow)
		wantStreams(t, a, 0)
		for {
			if _, err := cl.next(); err != nil {
				break
			}
		}
		if cl.last > 0 {
			t.Error("the event that was broken off came")
		}
		if written < cl.bytes/2 || written > 1<<20 { // TLS adds some
			t.Errorf("%d bytes were written, %d came", written, cl.bytes)
		}
	})
}

// TestSlowIsForgiven: who has read all has as much time again.
func TestSlowIsForgiven(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	st, cl := parked(t, s, tcp, l, a)
	for i := 1; i <= 3; i++ {
		s.passTime(writeFor - time.Second)
		read := make(chan error, 1)
		go func() { read <- cl.until(i) }()
		s.until(t, "the rest to be written", func() bool { return st.member.conn.rest == nil })
		if err := receive(t, read, "the event"); err != nil {
			t.Fatal(err)
		}
		put(l, i+1, i+1, 1<<20)
		if s.work(); st.member.conn.rest == nil {
			t.Fatal("the connection took all, want it to be full")
		}
	}
	cl.Close()
	s.until(t, "the end", func() bool { return len(st.ended) > 0 })
	wantEnd(t, st, ErrGone)
}

// TestNoHeartbeatInAChunk: a connection that is full has no need of one.
func TestNoHeartbeatInAChunk(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	server, c := tcp(t)
	narrow(server, c)
	put(l, 1, 1, 1<<20)
	st := newStream(l)
	s.join(st, writeFor/2, a)
	st.member.Take(server)
	s.work()
	for range 9 {
		s.passTime(writeFor / 10)
	}
	cl := newClient(t, c)
	read := make(chan error, 1)
	go func() { read <- cl.until(1) }()
	s.until(t, "the rest to be written", func() bool { return st.member.conn.rest == nil })
	if err := receive(t, read, "the event"); err != nil {
		t.Fatal(err)
	}
	s.passTime(time.Second)
	l.Close()
	s.work()
	wantFinished(t, cl, true)
	if cl.beats > 0 {
		t.Errorf("%d heartbeats, want none", cl.beats)
	}
	wantEnd(t, st, ErrEnd)
}

// TestPartialWrites has clients with small buffers read big events in small
// parts: wherever a write ends, it goes on exactly there.
func TestPartialWrites(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		const clients, events, size = 4, 8, 300_000
		r := start(t)
		l, a := r.source(wide)
		var reading sync.WaitGroup
		var streams []*stream
		for i := range clients {
			server, c := kind(t)
			narrow(server, c)
			cl := newClient(t, c)
			cl.r.Reset(&dribble{cl, rand.New(rand.NewPCG(uint64(i), 1))})
			streams = append(streams, take(t, r, server, l, a))
			reading.Go(func() {
				if err := cl.until(events); err != nil {
					t.Error(err)
				}
				_ = plain(c).Close()
			})
		}
		put(l, 1, events, size)
		reading.Wait()
		for _, s := range streams {
			wantEnd(t, s, ErrGone)
		}
	})
}

// A dribble reads a little at a time.
type dribble struct {
	r      io.Reader
	random *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) { return d.r.Read(p[:1+d.random.IntN(len(p))]) }

// TestLentRest: what is left of a chunk that the joiner lent does not change
// when that is used for another stream.
func TestLentRest(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	s.loop.joiner.Own = true
	server, c := tcp(t)
	narrow(server, c)
	put(l, 1, 20, 50_000)
	s.loop.joiner.Max = 2 << 20
	st := take(t, s.rig, server, l, a)
	s.work()
	if st.member.conn.rest == nil {
		t.Fatal("the connection took all, want it to be full")
	}
	b := s.loop.joiner.Scratch()
	b = b[:cap(b)]
	clear(b)
	cl := newClient(t, c)
	read := make(chan error, 1)
	go func() { read <- cl.until(20) }()
	s.until(t, "the rest to be written", func() bool { return st.member.conn.rest == nil })
	if err := receive(t, read, "the events"); err != nil {
		t.Error(err)
	}
	c.Close()
	s.until(t, "the end", func() bool { return len(st.ended) > 0 })
	wantEnd(t, st, ErrGone)
}
