package eventstream

import (
	"fmt"
	"strings"
	"testing"
)

// TestItemsAreKeptApartFromEvents: what was published long ago and is still
// retained is there to be replayed, however many events came since.
func TestItemsAreKeptApartFromEvents(t *testing.T) {
	for _, tt := range []struct {
		name, noise string
		want        string
	}{
		{"other events", series("!", 1, 10), "old older=1"},
		{"one item overwritten again and again", series("x=", 1, 10), "old older=1 x=10"},
		{"items that come and go", strings.Repeat("x -x ", 10), "old older=1"},
	} {
		l := hear(NewLog("source", Bounds{5, 1 << 20}, func() {}), "older old older=1 "+tt.noise)
		wantStart(t, tt.name, l, l.Replay(-1), tt.want, "")
		if n := len(wantEntries(t, l, l.Replay(0).Next-5)); n != 5 {
			t.Errorf("%s: %d events, want the newest 5", tt.name, n)
		}
	}
}

func TestItemsAreBounded(t *testing.T) {
	l := hear(NewLog("source", Bounds{5, 1 << 20}, func() {}), series("a", 1, 9)+" a1=1")
	wantWords(t, "by number", l.Replay(-1).Entries, "a6 a7 a8 a9 a1=1")
	hear(l, "-a7 b c")
	wantWords(t, "after one is retracted", l.Replay(-1).Entries, "a8 a9 a1=1 b c")
	hear(l, "* a "+strings.Repeat("!x ", 9))
	wantWords(t, "after a purge", l.Replay(-1).Entries, "a")

	big := strings.Repeat("x", 500)
	l = hear(NewLog("source", Bounds{100, 1300}, func() {}), "a "+big)
	wantWords(t, "by bytes, below", l.Replay(-1).Entries, "a "+big)
	hear(l, series("b", 1, 6))
	wantWords(t, "by bytes, above", l.Replay(-1).Entries, series("b", 1, 6))
	hear(l, big+big+big)
	wantWords(t, "the newest whatever its size", l.Replay(-1).Entries, big+big+big)
}

// TestItemsForgetThoseThatAreGone: a log that lives long does not grow.
func TestItemsForgetThoseThatAreGone(t *testing.T) {
	l := hear(newLog(), "a b c")
	for i := range 10_000 {
		hear(l, fmt.Sprintf("x=%d y%d -y%d", i, i, i))
		if n := len(l.items.order); n > 2*4+16+2 {
			t.Fatalf("%d entries for 4 items", n)
		}
	}
	wantWords(t, "after 10000 times", l.Replay(-1).Entries, "a b c x=9999")
}

func TestStateInIDs(t *testing.T) {
	for _, tt := range []struct{ script, wantItem, wantMarks string }{
		{"", "", ""},
		{"a", "a", "a"},
		{"a b c d e f g", "g", "g f e d c b"},
		{"a b -b", "a", "a"},
		{"a b -a", "b", "b"},
		{"a b a=1", "a", "a=1 b"},
		{"a b *", "", ""},
		{"a b * c", "c", "c"},
		{"a b !x", "b", "b a"},
		{"a b -nothing", "b", "b a"},
		{"~a ~b", "b", "b a"},
	} {
		id := endID(hear(newLog(), tt.script))
		places, _ := parseID(id)
		if part, _ := cutID(id); part != tt.wantItem {
			t.Errorf("after %q the item is %q, want %q", tt.script, part, tt.wantItem)
		}
		var want []mark
		for _, v := range versions(tt.wantMarks) {
			want = append(want, newMark(v))
		}
		if len(places) != 1 || fmt.Sprint(places[0].marks) != fmt.Sprint(want) {
			t.Errorf("after %q the places are %+v, want the marks of %q", tt.script, places, tt.wantMarks)
		}
	}
}
