package delivery

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGone: the client closes the connection, in whatever way.
func TestGone(t *testing.T) {
	for name, leave := range map[string]func(c *net.TCPConn) error{
		"FIN":      func(c *net.TCPConn) error { return c.CloseWrite() },
		"closed":   func(c *net.TCPConn) error { return c.Close() },
		"RST":      func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
		"both way": func(c *net.TCPConn) error { return errors.Join(c.CloseWrite(), c.CloseRead()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStill(t)
			l, a := s.source(wide)
			_, b := s.source(wide)
			server, c := tcp(t)
			cl := newClient(t, c)
			st := take(t, s.rig, server, l, a, b)
			put(l, 1, 1, 10)
			s.work()
			wantUntil(t, cl, 1)
			if err := leave(c.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			s.until(t, "the end", func() bool { return len(st.ended) > 0 })
			if n := wantEnd(t, st, ErrGone); n != cl.bytes {
				t.Errorf("%d bytes were written, %d came", n, cl.bytes)
			}
			wantStreams(t, a, 0)
			wantStreams(t, b, 0)
			wantNoSeats(t, s, a, b)
			put(l, 2, 2, 10)
			s.work()
			s.passTime(time.Hour)
			if _, err := server.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection is open: %v", err)
			}
			// The next one has its place.
			server, c = tcp(t)
			cl = newClient(t, c)
			next := take(t, s.rig, server, l, a)
			s.work()
			wantUntil(t, cl, 2)
			if len(s.loop.members) != 1 {
				t.Errorf("there are places for %d streams, want 1", len(s.loop.members))
			}
			// What happened to the first connection is nothing to it.
			s.loop.isReady([]readiness{{token{int32(st.member.slot), st.member.turn}, true}})
			s.work()
			put(l, 3, 3, 10)
			s.work()
			wantUntil(t, cl, 3)
			l.Close()
			s.work()
			wantEnd(t, next, ErrEnd)
		})
	}
}

func wantNoSeats(t *testing.T, s still, audiences ...*Audience) {
	t.Helper()
	for _, a := range audiences {
		if n := len(a.sections[0].Load().seats); n > 0 {
			t.Errorf("%d seats are taken, want none", n)
		}
	}
	for _, m := range s.loop.members {
		if m != nil {
			t.Error("the loop has a member, want none")
		}
	}
}

// TestGoneAtTake: the client had gone before its connection was taken over.
func TestGoneAtTake(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		r := start(t)
		l, a := r.source(wide)
		server, c := kind(t)
		plain(c).Close()
		wantEnd(t, take(t, r, server, l, a), ErrGone)
		wantStreams(t, a, 0)
	})
}

// TestGoneWhileParked: it is noticed though there is nothing to write.
func TestGoneWhileParked(t *testing.T) {
	eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
		s := newStill(t)
		l, a := s.source(wide)
		st, cl := parked(t, s, kind, l, a)
		plain(cl.Conn).Close()
		s.until(t, "the end", func() bool { return len(st.ended) > 0 })
		e := receive(t, st.ended, "the end")
		// There may have been room, which it writes to before it hears of that.
		if !errors.Is(e.reason, ErrGone) && !errors.Is(e.reason, syscall.ECONNRESET) && !errors.Is(e.reason, syscall.EPIPE) {
			t.Errorf("it ended: %v, want %v", e.reason, ErrGone)
		}
		wantStreams(t, a, 0)
	})
}

// TestWriteFails: the loop writes before it hears that the client is gone.
func TestWriteFails(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	server, c := unixSocket(t)
	st := take(t, s.rig, server, l, a)
	s.work()
	c.Close()
	for heard := false; !heard; {
		receive(t, s.loop.woken, "the end")
		s.loop.mu.Lock()
		heard = len(s.loop.ready) > 0
		s.loop.ready = nil // as if it had come later
		s.loop.mu.Unlock()
	}
	put(l, 1, 1, 10)
	s.work()
	e := receive(t, st.ended, "the end")
	if e.reason == nil || errors.Is(e.reason, ErrEnd) || e.written != 0 {
		t.Errorf("it ended after %d bytes: %v, want an error of the write", e.written, e.reason)
	}
	wantNoSeats(t, s, a)
}

func TestEnd(t *testing.T) {
	for _, tt := range []struct {
		name     string
		reason   error
		finished bool
	}{
		{"there is no more", ErrEnd, true},
		{"that and more", fmt.Errorf("the source says: %w", ErrEnd), true},
		{"any other reason", errTest, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
				for _, ends := range []string{"by itself", "when it is asked"} {
					s := newStill(t)
					l, a := s.source(wide)
					server, c := kind(t)
					cl := newClient(t, c)
					st := newStream(l)
					st.words = "retry: 1\n"
					takeStream(t, s.rig, server, st, a)
					put(l, 1, 1, 10)
					s.work()
					wantUntil(t, cl, 1)
					words := []string{st.words}
					if ends == "by itself" {
						st.next = func() error { return tt.reason }
						words = nil
						a.Notify()
						s.work()
					} else {
						st.end(tt.reason)
						s.passTime(0)
					}
					wantFinished(t, cl, tt.finished)
					if strings.Join(cl.said, "") != strings.Join(words, "") {
						t.Errorf("it ends %s: the last words are %q, want %q", ends, cl.said, words)
					}
					n := wantEnd(t, st, tt.reason)
					if _, isPlain := c.(*net.TCPConn); isPlain && !tt.finished && n != cl.bytes {
						t.Errorf("%d bytes were written, %d came", n, cl.bytes)
					}
					wantNoSeats(t, s, a)
					a.Notify()
					s.passTime(time.Hour)
				}
			})
		})
	}
}

// TestEndAfterTheRest: a stream that has come to its end writes what it has
// begun.
func TestEndAfterTheRest(t *testing.T) {
	for _, reason := range []error{ErrEnd, errTest} {
		eachKind(t, func(t *testing.T, kind func(testing.TB) (server, client net.Conn)) {
			s := newStill(t)
			l, a := s.source(wide)
			if reason == ErrEnd {
				put(l, 1, 1, 1<<20)
				l.Close()
			}
			server, c := kind(t)
			narrow(server, c)
			st := newStream(l)
			if reason != ErrEnd {
				put(l, 1, 1, 1<<20)
				st.last = reason
			}
			takeStream(t, s.rig, server, st, a)
			s.work()
			if len(st.ended) > 0 || st.member.conn.rest == nil {
				t.Fatal("it ended before all was written")
			}
			a.Notify()
			s.work()
			cl := newClient(t, c)
			read := make(chan error, 1)
			go func() { read <- cl.until(1) }()
			s.until(t, "the end", func() bool { return len(st.ended) > 0 })
			if err := receive(t, read, "the event"); err != nil {
				t.Fatal(err)
			}
			wantFinished(t, cl, reason == ErrEnd)
			wantEnd(t, st, reason)
		})
	}
}

// TestOverWhileParked: there is no room for more, be it last words, within a
// chunk.
func TestOverWhileParked(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	st, cl := parked(t, s, tcp, l, a)
	st.words = "last words"
	// There is room by now, which the loop has not heard of.
	if _, err := io.ReadFull(cl.r, make([]byte, st.member.conn.written)); err != nil {
		t.Fatal(err)
	}
	st.end(errTest)
	s.passTime(0)
	n := wantEnd(t, st, errTest)
	if _, err := cl.r.ReadByte(); err != io.EOF {
		t.Errorf("there is more than what was begun; %v", err)
	}
	if n != cl.bytes {
		t.Errorf("%d bytes were written, %d came", n, cl.bytes)
	}
}

// TestPanic: it costs the stream in whose methods it happens, and no other.
func TestPanic(t *testing.T) {
	for name, set := range map[string]func(*stream){
		"Next": func(s *stream) { s.next = func() error { panic("at the disco") } },
		"Over": func(s *stream) { s.whenAsked(func() error { panic("at the disco") }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStill(t)
			l, a := s.source(wide)
			var all []*stream
			var clients []*client
			for range 3 {
				server, c := tcp(t)
				all = append(all, take(t, s.rig, server, l, a))
				clients = append(clients, newClient(t, c))
			}
			s.work()
			set(all[1])
			put(l, 1, 1, 10)
			s.work()
			s.passTime(time.Second)
			e := receive(t, all[1].ended, "the end")
			var p *PanicError
			if !errors.As(e.reason, &p) || p.Value != "at the disco" || p.Error() != "panic: at the disco" ||
				!strings.Contains(string(p.Stack), "fake_test.go") {
				t.Errorf("it ended: %v, want the panic", e.reason)
			}
			wantFinished(t, clients[1], false)
			wantStreams(t, a, 2)
			put(l, 2, 2, 10)
			s.work()
			l.Close()
			s.work()
			for _, i := range []int{0, 2} {
				wantUntil(t, clients[i], 2)
				wantFinished(t, clients[i], true)
				wantEnd(t, all[i], ErrEnd)
			}
		})
	}
}

// TestPanicOfAGoroutinesStream: the loop goes on.
func TestPanicOfAGoroutinesStream(t *testing.T) {
	s := newStill(t)
	a := s.NewAudience()
	bad, good := s.join(newStream(nil), beat, a), s.join(newStream(nil), beat, a)
	s.work()
	bad.whenAsked(func() error { panic("at the disco") })
	good.end(errTest)
	s.passTime(0)
	if good.member.Over() == nil {
		t.Error("the other was not asked")
	}
}

// TestWrittenWithTheLastChunk: what is written includes the last chunk.
func TestWrittenWithTheLastChunk(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	server, c := tcp(t)
	cl := newClient(t, c)
	put(l, 1, 1, 10)
	l.Close()
	st := take(t, s.rig, server, l, a)
	s.work()
	wantFinished(t, cl, true)
	if n := wantEnd(t, st, ErrEnd); n != cl.bytes {
		t.Errorf("%d bytes were written, %d came", n, cl.bytes)
	}
}
