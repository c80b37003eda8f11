package eventstream

import (
	"errors"
	"strings"
	"testing"
)

func TestLogReadsInOrder(t *testing.T) {
	l := newLog()
	wantWords(t, "nothing", wantEntries(t, l, 0), "")
	hear(l, "a")
	wantWords(t, "one", wantEntries(t, l, 0), "a")
	at := end(l)
	hear(l, "a=1 b -a !x * c")
	wantWords(t, "the rest", wantEntries(t, l, at), "a=1 b -a !x * c")
	wantWords(t, "the end", wantEntries(t, l, end(l)), "")
}

func TestLogBounds(t *testing.T) {
	size := int64(len(wantEntries(t, hear(newLog(), "a1"), 0)[0].Frame()))
	big := strings.Repeat("x", 1000)
	for _, tt := range []struct {
		name   string
		bounds Bounds
		script string
		want   string
	}{
		{"events", Bounds{3, 1 << 20}, "a1 a2 a3 a4 a5", "a3 a4 a5"},
		{"bytes", Bounds{100, 3 * (size + 50)}, "a1 a2 a3 " + big, big},
		{"the newest is kept whatever its size", Bounds{3, 1}, "a1 " + big, big},
		{"a small one after a big one", Bounds{3, size + 100}, big + " a1", "a1"},
		{"no bounds at all are one event", Bounds{}, "a1 a2", "a2"},
		{"an event without an item", Bounds{2, 1 << 20}, "a1 !x !y", "!x !y"},
	} {
		l := hear(NewLog("source", tt.bounds), tt.script)
		n := len(strings.Fields(tt.want))
		wantWords(t, tt.name, wantEntries(t, l, end(l)-Position(n)), tt.want)
		wantLagged(t, l, end(l)-Position(n)-1)
	}
}

func TestLogBoundsBytes(t *testing.T) {
	const bytes = 10_000
	l := NewLog("source", Bounds{1 << 20, bytes})
	for range 100 {
		hear(l, "a"+strings.Repeat("x", 500)+" b"+strings.Repeat("y", 90))
		var entries, items int64
		for _, e := range l.entries.all {
			entries += int64(len(e.frame))
		}
		for _, e := range l.items.list() {
			items += int64(len(e.frame))
		}
		if entries > bytes || entries != l.entries.size || items != l.items.size {
			t.Fatalf("%d bytes of events, counted as %d, and %d of items, counted as %d; want no more than %d",
				entries, l.entries.size, items, l.items.size, bytes)
		}
	}
}

func TestSetBounds(t *testing.T) {
	l := hear(newLog(), series("a", 1, 9))
	l.SetBounds(Bounds{2, 1 << 20})
	wantLagged(t, l, 6)
	wantWords(t, "events", wantEntries(t, l, 7), "a8 a9")
	wantWords(t, "items", l.Replay(-1).Entries, "a8 a9")
	l.SetBounds(Bounds{4, 1 << 20})
	hear(l, "a10 a11 a12")
	wantWords(t, "more events", wantEntries(t, l, 8), "a9 a10 a11 a12")
	wantWords(t, "more items", l.Replay(-1).Entries, "a9 a10 a11 a12")
}

func wantLagged(t *testing.T, l *Log, at Position) {
	t.Helper()
	if _, _, _, err := l.Read(at); !errors.Is(err, ErrLagged) {
		t.Errorf("reading at %d: %v, want ErrLagged", at, err)
	}
}

func TestLogWakes(t *testing.T) {
	l := newLog()
	for _, word := range []string{"a", "-a", "*", "!x", "~b"} {
		_, _, more, _ := l.Read(0)
		wantOpen(t, more)
		hear(l, word)
		wantClosed(t, more)
	}
	_, _, more, _ := l.Read(0)
	wantOpen(t, more)
	l.Close()
	wantClosed(t, more)
	if _, _, more, _ := l.Read(0); more != nil {
		t.Error("a log that is closed promises more")
	}
}

// TestClosedLogDoesNotChange: streams may come to the end of a log some time
// after it was closed.
func TestClosedLogDoesNotChange(t *testing.T) {
	for _, late := range []string{"b", "a=1", "-a", "*", "!x", "~b"} {
		l := hear(newLog(), "a")
		id := endID(l)
		l.Close()
		l.Close() // does no harm
		hear(l, late)
		wantWords(t, late+" after the end, read", wantEntries(t, l, 0), "a")
		wantWords(t, late+" after the end, replayed", l.Replay(-1).Entries, "a")
		wantStart(t, late+" after the end, resumed", l, l.Resume(id), "", "")
		if got := endID(l); got != id {
			t.Errorf("%s after the end: the id is %q, want %q", late, got, id)
		}
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

func wantClosed(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	default:
		t.Error("the channel is open though something came")
	}
}

func TestReadSharesFrames(t *testing.T) {
	l := hear(newLog(), "a")
	a, b := wantEntries(t, l, 0), wantEntries(t, l, 0)
	if &a[0].Frame()[0] != &b[0].Frame()[0] || &a[0].Frame()[0] != &l.Replay(-1).Entries[0].Frame()[0] {
		t.Error("an event is copied for each stream")
	}
}

func TestHas(t *testing.T) {
	l := hear(newLog(), "a b c b=1 -c d=?")
	for v, want := range map[string]bool{
		"a": true, "a=1": false, "a=?": true, "b": false, "b=1": true, "c": false, "e": false, "d": true, "d=?": true, "d=7": true,
	} {
		if got := l.Has(version(v)); got != want {
			t.Errorf("it has %s: %v, want %v", v, got, want)
		}
	}
}

func TestTag(t *testing.T) {
	l, other := newLog(), newLog()
	if len(l.Tag()) != tagLength || l.Tag() == other.Tag() {
		t.Errorf("two logs have the tags %q and %q, want two of %d bytes", l.Tag(), other.Tag(), tagLength)
	}
	if got := other.Resume(endID(hear(l, "a"))).Tag; got != l.Tag() {
		t.Errorf("the ID's tag is told as %q, want %q", got, l.Tag())
	}
	if got := l.Resume("a").Tag; got != "" {
		t.Errorf("a bare item has the tag %q, want none", got)
	}
}
