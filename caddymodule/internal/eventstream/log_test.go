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
	size := int64(len(wantEntries(t, hear(newLog(), "a1"), 0)[0].Body()))
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
		l := hear(NewLog("source", tt.bounds, func() {}), tt.script)
		n := len(strings.Fields(tt.want))
		wantWords(t, tt.name, wantEntries(t, l, end(l)-Position(n)), tt.want)
		wantLagged(t, l, end(l)-Position(n)-1)
	}
}

func TestLogBoundsBytes(t *testing.T) {
	const bytes = 10_000
	l := NewLog("source", Bounds{1 << 20, bytes}, func() {})
	for range 100 {
		hear(l, "a"+strings.Repeat("x", 500)+" b"+strings.Repeat("y", 90))
		var entries, items int64
		for _, e := range l.entries.all {
			entries += int64(len(e.Body()))
		}
		for _, e := range l.items.list() {
			items += int64(len(e.Body()))
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
	if _, _, _, err := l.Read(nil, at, 1); !errors.Is(err, ErrLagged) {
		t.Errorf("reading at %d: %v, want ErrLagged", at, err)
	}
}

// TestLogGrows: who reads the log is told when there is more to read, and what
// it reads then says whether there may be more.
func TestLogGrows(t *testing.T) {
	grown := 0
	l := NewLog("source", wide, func() { grown++ })
	for i, word := range []string{"a", "-a", "*", "!x", "~b"} {
		if hear(l, word); grown != i+1 {
			t.Errorf("%s: told %d times, want %d", word, grown, i+1)
		}
	}
	wantOver(t, l, 5, false)
	l.Close()
	l.Close()
	hear(l, "c")
	if grown != 6 {
		t.Errorf("told %d times, want 6", grown)
	}
	wantOver(t, l, 0, true)
	wantOver(t, l, 5, true)
}

func wantOver(t *testing.T, l *Log, at Position, want bool) {
	t.Helper()
	if _, _, over, err := l.Read(nil, at, 1<<20); err != nil || over != want {
		t.Errorf("reading at %d: over is %v, want %v; %v", at, over, want, err)
	}
}

// TestLogReadsInParts: so many bytes at a time, but always one event at least.
func TestLogReadsInParts(t *testing.T) {
	l := hear(newLog(), "a1 a2 a3 a4 a5")
	all := wantEntries(t, l, 0)
	two := all[0].size() + all[1].size()
	l.Close()
	for _, tt := range []struct{ max, want int }{{0, 1}, {1, 1}, {two - 1, 1}, {two, 2}, {5 * two, 5}} {
		before := []*Entry{nil}
		entries, next, over, err := l.Read(before, 0, tt.max)
		if err != nil || len(entries) != 1+tt.want || next != Position(tt.want) || over != (tt.want == 5) {
			t.Errorf("up to %d bytes: %d entries, next %d, over %v, %v; want %d", tt.max, len(entries)-1, next, over, err, tt.want)
		}
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

func TestReadSharesFrames(t *testing.T) {
	l := hear(newLog(), "a")
	a, b := wantEntries(t, l, 0), wantEntries(t, l, 0)
	if &a[0].Body()[0] != &b[0].Body()[0] || &a[0].Body()[0] != &l.Replay(-1).Entries[0].Body()[0] {
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
