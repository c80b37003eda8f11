package delivery

import (
	"math/rand/v2"
	"net"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// TestPassModel has streams join, leave and end, and sources tell of something
// new, while the loop goes through them: it skips nobody who is to be told.
func TestPassModel(t *testing.T) {
	for seed := range uint64(10) {
		passAtRandom(t, rand.New(rand.NewPCG(seed, 0)))
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

// A listener is a stream of the model, which may be in several audiences.
type listener struct {
	*stream
	audiences []*Audience
	taken     bool
	due       bool // it has to be told
	gone      bool
}

func passAtRandom(t *testing.T, random *rand.Rand) {
	s := newStill(t)
	audiences := []*Audience{s.NewAudience(), s.NewAudience()}
	l := eventstream.NewLog("source", wide, func() {})
	var all []*listener
	join := func() {
		m := &listener{stream: newStream(l), audiences: audiences[random.IntN(2):], taken: random.IntN(2) == 0}
		m.audiences = m.audiences[:1+random.IntN(len(m.audiences))]
		m.next = func() error { // of those that were taken
			m.due = false
			if random.IntN(50) == 0 {
				m.gone = true
				return errTest
			}
			return nil
		}
		s.join(m.stream, beat, m.audiences...)
		s.loop.receive()
		if m.taken {
			// Nothing is written to it.
			m.member.taken, m.member.conn.conn = true, closer{}
		}
		all = append(all, m)
	}
	leave := func(m *listener) {
		if !m.gone {
			m.gone = true
			s.loop.leave(&m.member)
		}
	}
	round := func() (more bool) {
		more = s.loop.round()
		for _, m := range all {
			if !m.taken && len(m.member.woken) > 0 {
				<-m.member.woken
				m.due = false
			}
		}
		return more
	}
	for range 3 * slice {
		join()
	}
	for range 200 {
		switch random.IntN(6) {
		case 0:
			join()
		case 1, 2:
			for range random.IntN(slice / 4) {
				leave(all[random.IntN(len(all))])
			}
			for range random.IntN(slice / 4) {
				join()
			}
		case 3:
			a := audiences[random.IntN(2)]
			for _, m := range all {
				for _, of := range m.audiences {
					m.due = m.due || of == a
				}
			}
			a.Notify()
		default:
			round()
		}
	}
	for round() {
	}
	want := map[*Audience]int{}
	for i, m := range all {
		if m.due && !m.gone {
			t.Errorf("the stream %d of %d was not told", i, len(all))
			break
		}
		for _, a := range m.audiences {
			if !m.gone {
				want[a]++
			}
		}
	}
	for _, a := range audiences {
		wantStreams(t, a, want[a])
		s := a.sections[0].Load()
		if s == nil {
			continue // nobody ever joined
		}
		if len(s.seats) != want[a] {
			t.Errorf("%d seats are taken, want %d", len(s.seats), want[a])
		}
		for i, seat := range s.seats {
			if seat.index != i {
				t.Errorf("the seat %d says that it is %d", i, seat.index)
			}
		}
	}
	for _, m := range all {
		if m.taken && len(m.ended) > 0 {
			<-m.ended
		}
	}
}

// TestAllEndInAPass: all that had their turn have ended when one leaves that is
// yet to come.
func TestAllEndInAPass(t *testing.T) {
	const rest = 10
	s := newStill(t)
	l, a := s.source(wide)
	var all []*stream
	for range slice + rest {
		m := newStream(l)
		m.next = func() error { return errTest }
		s.join(m, beat, a)
		s.loop.receive()
		m.member.taken, m.member.conn.conn = true, closer{}
		all = append(all, m)
	}
	a.Notify()
	s.loop.round()
	wantStreams(t, a, rest)
	s.loop.leave(a.sections[0].Load().seats[0].member)
	s.work()
	wantStreams(t, a, 0)
	left := 0
	for _, m := range all {
		if len(m.ended) == 0 {
			left++
			continue
		}
		wantEnd(t, m, errTest)
	}
	if left != 1 {
		t.Errorf("%d streams did not end, want the one that left", left)
	}
}

// A closer is a connection that can only be closed.
type closer struct{ net.Conn }

func (closer) Close() error { return nil }
