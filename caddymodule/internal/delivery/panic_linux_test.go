package delivery

import (
	"errors"
	"testing"
)

// TestPanicAtTake: a panic in the first Next, and in one after the connection
// had been full, costs only the stream.
func TestPanicAtTake(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	server, _ := tcp(t)
	st := newStream(l)
	st.next = func() error { panic("at the disco") }
	takeStream(t, s.rig, server, st, a)
	mustNotPanic(t, s.work)
	wantPanicEnd(t, st)
}

func TestPanicAtResume(t *testing.T) {
	s := newStill(t)
	l, a := s.source(wide)
	st, cl := parked(t, s, tcp, l, a)
	st.next = func() error { panic("at the disco") }
	go func() { _ = cl.until(1) }()
	mustNotPanic(t, func() {
		s.until(t, "the end", func() bool { return len(st.ended) > 0 })
	})
	wantPanicEnd(t, st)
}

func mustNotPanic(t *testing.T, do func()) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Fatalf("the loop panics: %v", v)
		}
	}()
	do()
}

func wantPanicEnd(t *testing.T, s *stream) {
	t.Helper()
	e := receive(t, s.ended, "the end")
	var p *PanicError
	if !errors.As(e.reason, &p) {
		t.Errorf("it ended: %v, want the panic", e.reason)
	}
}

// TestPanicOfAGoroutinesStreamEndsIt: a stream with a goroutine ends, too, as
// one that was taken over does, and is not asked for ever.
func TestPanicOfAGoroutinesStreamEndsIt(t *testing.T) {
	s := newStill(t)
	st := s.join(newStream(nil), beat, s.NewAudience())
	s.work()
	st.whenAsked(func() error { panic("at the disco") })
	s.passTime(0)
	if st.member.Over() == nil {
		t.Error("it goes on")
	}
}
