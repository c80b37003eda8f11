package eventstream

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// wantRead reads what comes after at, and wants its first and last event to have
// the data, and so many events.
func wantRead(t *testing.T, l *Log, at Position, n int, first, last string) Position {
	t.Helper()
	frames, next, _, err := l.Read(at)
	if err != nil {
		t.Fatal(err)
	}
	events, _ := parse(join(frames))
	if len(events) != n || len(frames) != n {
		t.Fatalf("%d events in %d frames, want %d", len(events), len(frames), n)
	}
	if n > 0 && (events[0].data != first || events[n-1].data != last) {
		t.Errorf("from %.20q to %.20q, want from %.20q to %.20q", events[0].data, events[n-1].data, first, last)
	}
	return next
}

func TestLogReadsInOrder(t *testing.T) {
	l := NewLog()
	at := wantRead(t, l, l.End(), 0, "", "")
	l.Append("", "1", "a")
	at = wantRead(t, l, at, 1, "a", "a")
	l.Append("", "2", "b")
	l.Append("", "3", "c")
	at = wantRead(t, l, at, 2, "b", "c")
	wantRead(t, l, at, 0, "", "")
	if at != l.End() {
		t.Errorf("at %d, want the end %d", at, l.End())
	}
}

func TestLogBoundsEvents(t *testing.T) {
	l := NewLog()
	for i := range maxEvents + 10 {
		l.Append("", "x", fmt.Sprint(i))
	}
	wantLagged(t, l, 0)
	wantLagged(t, l, 9)
	wantRead(t, l, 10, maxEvents, "10", fmt.Sprint(maxEvents+9))
}

func TestLogBoundsBytes(t *testing.T) {
	if maxEvents != 1024 || maxBytes != 8<<20 {
		t.Errorf("the bounds are %d and %d", maxEvents, maxBytes)
	}
	l, mebi := NewLog(), strings.Repeat("x", 1<<20)
	for i := range 20 {
		l.Append("", "x", fmt.Sprint(i, mebi))
	}
	if l.size > maxBytes {
		t.Errorf("%d bytes are retained", l.size)
	}
	wantLagged(t, l, 12)
	at := wantRead(t, l, 13, 7, fmt.Sprint(13, mebi), fmt.Sprint(19, mebi))
	if at != l.End() {
		t.Errorf("at %d, want the end", at)
	}
}

func TestLogKeepsTheNewestWhateverItsSize(t *testing.T) {
	l := NewLog()
	l.Append("", "1", "small")
	big := strings.Repeat("x", maxBytes+1)
	l.Append("", "2", big)
	wantLagged(t, l, 0)
	wantRead(t, l, 1, 1, big, big)
	l.Append("", "3", "small")
	wantRead(t, l, 2, 1, "small", "small")
}

func wantLagged(t *testing.T, l *Log, at Position) {
	t.Helper()
	if _, _, _, err := l.Read(at); !errors.Is(err, ErrLagged) {
		t.Errorf("reading at %d: %v, want ErrLagged", at, err)
	}
}

func TestLogWakes(t *testing.T) {
	l := NewLog()
	_, _, more, _ := l.Read(0)
	wantOpen(t, more)
	l.Append("", "1", "a")
	<-more
	_, at, more, _ := l.Read(0)
	wantOpen(t, more)
	l.Close()
	<-more
	l.Close() // does no harm
	l.Append("", "2", "late")
	wantRead(t, l, at, 0, "", "")
	wantRead(t, l, 0, 1, "a", "a")
	if _, _, more, _ := l.Read(0); more != nil {
		t.Error("a log that is closed promises more")
	}
}

func wantOpen(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
		t.Error("the channel is closed though nothing came")
	default:
	}
}

// TestLogConcurrently has all methods called at once. Each reader gets all
// events, in order.
func TestLogConcurrently(t *testing.T) {
	const writers, each, readers = 4, 200, 8 // together less than the log retains
	l := NewLog()
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() {
			var seen []dispatched
			for at := Position(0); ; {
				frames, next, more, err := l.Read(at)
				if err != nil {
					t.Error(err)
					return
				}
				if found, ok := l.Find(l.ID(next)); !ok || found != next {
					t.Errorf("the ID of %d finds %d, %v", next, found, ok)
				}
				events, _ := parse(join(frames))
				seen = append(seen, events...)
				at = next
				if more == nil {
					break
				}
				<-more
			}
			wantAll(t, seen, writers, each)
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				l.Append(fmt.Sprint("writer", w), fmt.Sprint(w, ".", i), fmt.Sprint(i))
			}
		})
	}
	writing.Wait()
	l.Close()
	reading.Wait()
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

func TestReadSharesFrames(t *testing.T) {
	l := NewLog()
	l.Append("", "1", strings.Repeat("x", 1<<16))
	a, _, _, _ := l.Read(0)
	b, _, _, _ := l.Read(0)
	if &a[0][0] != &b[0][0] {
		t.Error("an event is copied for each stream")
	}
}
