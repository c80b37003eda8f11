package eventstream

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestIDStartsWithTheItem(t *testing.T) {
	for _, item := range []string{"1", "a b", "日本 é", "a,b.c", "\r\n\x00", "~-._", "100%", "'\"<&>"} {
		l := NewLog()
		l.Append("", item, "")
		id := l.ID(l.End())
		part, ours, ok := strings.Cut(id, separator)
		decoded, err := url.PathUnescape(part)
		if !ok || err != nil || decoded != item {
			t.Errorf("the id of %q is %q", item, id)
		}
		if len(ours)+1 > 64 {
			t.Errorf("%d bytes of %q are ours", len(ours)+1, id)
		}
		if strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("the id %q is not visible ASCII", id)
		}
	}
}

func TestIDOfWhatIsNoItem(t *testing.T) {
	l := NewLog()
	l.Append("", "one", "")
	l.Append("purge", "", "")
	frames, _, _, _ := l.Read(0)
	events, _ := parse(join(frames) + join([]Frame{Event{ID: l.ID(l.End()), Data: "x"}.Append(nil)}))
	// An event without data is not dispatched, but its id counts.
	if got := events[len(events)-1].id; !strings.HasPrefix(got, "one,") {
		t.Errorf("the last id is %q", got)
	}
}

func TestIDOfLongItem(t *testing.T) {
	for _, item := range []string{strings.Repeat("x", 100_000), strings.Repeat("日", 400)} {
		l := NewLog()
		l.Append("", item, "")
		id := l.ID(l.End())
		if len(id) > maxItemPart+64 {
			t.Errorf("an id of %d bytes", len(id))
		}
		if at, ok := l.Find(id); !ok || at != l.End() {
			t.Errorf("it finds %d, %v", at, ok)
		}
	}
}

func TestFind(t *testing.T) {
	l, other := NewLog(), NewLog()
	start := l.ID(l.End())
	for i := range 5 {
		l.Append("", fmt.Sprint("item,", i), "")
		other.Append("", fmt.Sprint("item,", i), "")
	}
	for at := range Position(6) {
		if got, ok := l.Find(l.ID(at)); !ok || got != at {
			t.Errorf("the ID of %d finds %d, %v", at, got, ok)
		}
	}
	if got, ok := l.Find(start); !ok || got != 0 {
		t.Errorf("the ID from before all events finds %d, %v", got, ok)
	}
	future := id("", l.tag, 6)
	for _, id := range []string{
		"", ",", ".", "1", "item", ",.", other.ID(3), future, id("", l.tag, 1<<63),
		"," + l.tag, "," + l.tag + ".", "," + l.tag + ".-1", "," + l.tag + ".1 ", "," + l.tag + ".!", "," + l.tag + ".zzzzzzzzzzzzzzzzzzzzzz",
		"\x00", strings.Repeat(",", 1<<16), "日本",
	} {
		if at, ok := l.Find(id); ok {
			t.Errorf("the ID %.40q finds %d", id, at)
		}
	}
}

func TestFindWhatIsGone(t *testing.T) {
	l := NewLog()
	old := l.ID(l.End())
	for range maxEvents {
		l.Append("", "x", "")
	}
	if _, ok := l.Find(old); !ok {
		t.Error("the oldest retained place is not found")
	}
	l.Append("", "x", "")
	if at, ok := l.Find(old); ok {
		t.Errorf("a place whose next event is gone is found at %d", at)
	}
}
