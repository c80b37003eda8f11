package eventstream

import (
	"fmt"
	"testing"
)

func TestMarksTellVersions(t *testing.T) {
	for _, tt := range []struct {
		mark, entry string
		matches     bool
	}{
		{"a", "a", true},
		{"a", "a=1", false},
		{"a", "b", false},
		{"a=?", "a", true}, // the client's log did not know the content
		{"a", "a=?", true}, // this log does not
		{"a=?", "a=?", true},
		{"a=?", "b", false},
		{"a=?", "b=?", false},
		{"a", "b=?", false},
	} {
		e := hear(newLog(), tt.entry).entries.all[0]
		if got := e.matches(newMark(version(tt.mark))); got != tt.matches {
			t.Errorf("the mark of %s matches %s: %v, want %v", tt.mark, tt.entry, got, tt.matches)
		}
	}
}

func TestMarksOfOneItem(t *testing.T) {
	a := newMark(version("a"))
	for v, want := range map[string]bool{"a": true, "a=1": true, "a=?": true, "b": false, "b=1": false, "b=?": false} {
		if got := a.sameItem(newMark(version(v))); got != want {
			t.Errorf("a and %s are one item: %v, want %v", v, got, want)
		}
	}
}

// TestMarksDiffer has many versions, as the items of a big node, and one that is
// overwritten often: fingerprints that differ little make marks that differ.
func TestMarksDiffer(t *testing.T) {
	seen := map[mark]string{}
	add := func(item Item) {
		m, name := newMark(item), fmt.Sprint(item)
		if m >= 1<<(8*markBytes) {
			t.Fatalf("the mark %x has more than %d bytes", uint64(m), markBytes)
		}
		if other, ok := seen[m]; ok && other != name {
			t.Errorf("%s and %s have one mark", other, name)
		}
		seen[m] = name
	}
	for i := range uint64(300) {
		id := fmt.Sprint("item", i)
		add(Item{ID: id})
		add(Item{ID: id, Fingerprint: i + 1})
		add(Item{ID: "one", Fingerprint: i + 1})
		add(Item{ID: "one", Fingerprint: (i + 1) << 32})
	}
}

func TestMarkRoundTrip(t *testing.T) {
	for _, m := range []mark{0, 1, 1<<40 - 1, 0x0102030405, newMark(version("a"))} {
		if b := m.append(nil); len(b) != markBytes || parseMark(b) != m {
			t.Errorf("%x is written as %x, which is read as %x", uint64(m), b, uint64(parseMark(b)))
		}
	}
}
