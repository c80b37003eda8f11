package eventstream

import (
	"fmt"
	"sync"
	"testing"
)

// TestLogConcurrently has all methods called at once. Each reader gets all
// events, in order, be it that it reads on or that it comes back.
func TestLogConcurrently(t *testing.T) {
	const writers, each, readers = 4, 200, 6 // together less than the log retains
	grown := newSignal()
	l := NewLog("source", wide, grown.send)
	other := newLog()
	start := l.ID(0)
	var reading, writing sync.WaitGroup
	for r := range readers {
		reading.Go(func() { wantAll(t, readAll(t, l, grown, start, r%2 == 0), writers, each) })
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				id := fmt.Sprint(w, ".", i%50)
				ev := Event{Name: fmt.Sprint("writer", w), Data: fmt.Sprint(i)}
				switch {
				case i%10 == 9:
					l.Retract(id, ev)
				case i%50 == 30:
					l.Purge(ev)
				case i%5 == 4:
					l.Append(ev)
				default:
					l.Publish(Item{ID: id, Fingerprint: uint64(i)}, ev)
				}
				l.SetBounds(wide)
				l.Has(Item{ID: id})
				l.Compare([]Item{{ID: id}}, false, false, nil)
				other.Resume(l.ID(end(l)))
			}
		})
	}
	writing.Wait()
	l.Close()
	reading.Wait()
}

// readAll reads the log to its end, and comes back after each read if it is
// told so.
func readAll(t *testing.T, l *Log, grown *signal, id string, comesBack bool) (seen []dispatched) {
	at := Position(0)
	for {
		more := grown.next()
		entries, next, over, err := l.Read(nil, at, 1<<20)
		if err != nil {
			t.Error(err)
			return nil
		}
		if comesBack {
			start := l.Resume(id)
			if !start.Found || start.Gap != "" {
				t.Errorf("%q is not found", id)
			}
			entries, next = start.Entries, start.Next
		}
		events, _ := parse(join(entries))
		seen = append(seen, events...)
		at, id = next, l.ID(next)
		if over {
			return seen
		}
		if len(entries) == 0 {
			<-more
		}
	}
}

func wantAll(t *testing.T, seen []dispatched, writers, each int) {
	if len(seen) != writers*each {
		t.Errorf("%d events, want %d", len(seen), writers*each)
	}
	next := map[string]int{}
	for _, ev := range seen {
		if ev.data != fmt.Sprint(next[ev.name]) {
			t.Errorf("%s has %s, want %d", ev.name, ev.data, next[ev.name])
		}
		next[ev.name]++
	}
}

// A signal wakes all who wait for it.
type signal struct {
	mu sync.Mutex
	c  chan struct{} // guarded by mu
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

// next returns a channel that is closed when send is called next.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.c)
	s.c = make(chan struct{})
}
