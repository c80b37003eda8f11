package eventstream

import (
	"encoding/base64"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// maxOurs is how many bytes of an ID may be ours, after the separator.
const maxOurs = 64

func TestIDStartsWithTheItem(t *testing.T) {
	for _, item := range []string{"1", "a b", "日本 é", "a,b.c", "\r\n\x00", "~-._", "100%", "'\"<&>", "\xff", strings.Repeat("x", maxItemPart)} {
		l := newLog()
		l.Publish(Item{ID: item}, Event{})
		id := endID(l)
		part, places := cutID(id)
		if decoded, err := url.PathUnescape(part); err != nil || decoded != item {
			t.Errorf("the id of %q is %q, want the item to be its first part", item, id)
		}
		if part != escapeItem(item) || strings.Contains(part, separator) {
			t.Errorf("the item part of %q is %q", item, part)
		}
		if len(places) > maxOurs {
			t.Errorf("%d bytes of %q are ours, want at most %d", len(places), id, maxOurs)
		}
		wantVisible(t, id)
	}
}

func TestEscapeItem(t *testing.T) {
	for item, want := range map[string]string{
		"":                  "",
		"aZ09-._~":          "aZ09-._~",
		"a b,c":             "a%20b%2Cc",
		"é":                 "%C3%A9",
		"%41":               "%2541",
		"\x00\n\x7f\xff+/:": "%00%0A%7F%FF%2B%2F%3A",
	} {
		if got := escapeItem(item); got != want {
			t.Errorf("%q is escaped as %q, want %q", item, got, want)
		}
	}
}

func TestIDOfLongItem(t *testing.T) {
	for _, item := range []string{strings.Repeat("x", 100_000), strings.Repeat("日", 400), strings.Repeat("x", maxItemPart+1)} {
		l, other := newLog(), newLog()
		for _, l := range []*Log{l, other} {
			l.Publish(Item{ID: item, Fingerprint: 1}, Event{})
		}
		id := endID(l)
		if len(id) > maxItemPart+len(separator)+maxOurs {
			t.Errorf("an id of %d bytes", len(id))
		}
		if part, _ := cutID(id); part != "" {
			t.Errorf("the item part has %d bytes, want none", len(part))
		}
		wantStart(t, "the log itself", l, l.Resume(id), "", "")
		hear(other, "b")
		wantStart(t, "another log", other, other.Resume(id), "b", "")
	}
}

// TestPlaceLength has what takes the most room.
func TestPlaceLength(t *testing.T) {
	p := place{source: "\xff\xff\xff", tag: newLog().tag, seq: math.MaxUint64}
	for range maxMarks {
		p.marks = append(p.marks, 1<<(8*markBytes)-1)
	}
	if got := p.encode(); len(got) > maxOurs {
		t.Errorf("%q has %d bytes, want at most %d", got, len(got), maxOurs)
	}
	l := hear(newLog(), series("a", 1, 100))
	l.first = math.MaxUint64 - 200
	hear(l, "b")
	if _, places := cutID(endID(l)); len(places) > maxOurs {
		t.Errorf("%q has %d bytes, want at most %d", places, len(places), maxOurs)
	}
}

func TestPlaceRoundTrip(t *testing.T) {
	for _, p := range []place{
		{source: "\x00\x00\x00", tag: "ABCDEF"},
		{source: "\xff\xfe\xfd", tag: "234567", seq: math.MaxUint64},
		{source: sourceHash("x"), tag: "ABCDEF", seq: 36, marks: []mark{0, 1, 1<<40 - 1, newMark(version("a")), newMark(version("b=?")), 1 << 39}},
		{source: sourceHash(""), tag: "ABCDEF", seq: 1, marks: []mark{7}},
	} {
		got, ok := parsePlace(p.encode())
		if !ok || got.source != p.source || got.tag != p.tag || got.seq != p.seq || !slices.Equal(got.marks, p.marks) {
			t.Errorf("%+v is read back as %+v, %v", p, got, ok)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := cutPlaces(endID(hear(newLog(), "a")))
	raw, rest, _ := strings.Cut(good, ".")
	for _, id := range []string{
		"", ",", ".", "1", "item", ",.", ",..", good, // an item that looks like a place
		"," + good + ",", ",," + good, "," + good + ",x", "," + good + "!", "," + good + " ",
		"," + raw, "," + raw + ".", "," + raw + ".ABCDE", "," + raw + ".ABCDEF", "," + raw + "..1", "," + raw + ".ABCDEF.1", "," + raw + ".ABCDEF-1",
		"," + raw + ".ABCDEF1.1", "," + raw + ".ABCDEFzzzzzzzzzzzzzz", "," + raw + ".ABCDEF1_0", "," + raw + ".\nid: x1", "," + raw + ".ABCDE\r1", "," + raw + ".AB DEF1", "," + raw + ".ABé\x001",
		",." + rest, ",AAA." + rest, ",AAAAAAA." + rest, "," + raw + raw + "." + rest, ",!!!!." + rest,
		"," + base64.RawURLEncoding.EncodeToString(make([]byte, sourceBytes+(maxMarks+1)*markBytes)) + "." + rest, // more marks than there are
		strings.Repeat(",", 1<<16), "x," + strings.Repeat(good+",", 1000), strings.Repeat("x", maxID) + "," + good,
	} {
		if places, ok := parseID(id); ok {
			t.Errorf("%.60q is read as %d places, want it refused", id, len(places))
		}
	}
	if _, ok := parseID("," + good); !ok {
		t.Errorf("%q is refused", good)
	}
}

// cutPlaces returns the part of an ID that is ours.
func cutPlaces(id string) string {
	_, places := cutID(id)
	return places
}

func TestSourceHash(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range strings.Fields(series("service\x00node", 1, 1000)) {
		h := sourceHash(name)
		if len(h) != sourceBytes || h != sourceHash(name) {
			t.Fatalf("the hash of %q is %q, want always the same %d bytes", name, h, sourceBytes)
		}
		seen[h] = true
	}
	if len(seen) < 999 {
		t.Errorf("%d hashes of 1000 sources", len(seen))
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("a", "content", uint64(0), uint8(0))
	f.Add("日本 é", "", uint64(math.MaxUint64), uint8(9))
	f.Fuzz(func(t *testing.T, item, content string, first uint64, n uint8) {
		l := newLog()
		l.first = first % (math.MaxUint64 - 1<<8)
		n = max(n, 1)
		for i := range n {
			l.Publish(Item{ID: item + string(rune(i)), Fingerprint: itemHash(content)}, Event{})
		}
		id := endID(l)
		part, ours := cutID(id)
		wantVisible(t, id)
		if len(part) > maxItemPart || len(ours) > maxOurs {
			t.Errorf("%q has %d and %d bytes, want at most %d and %d", id, len(part), len(ours), maxItemPart, maxOurs)
		}
		places, ok := parseID(id)
		if !ok || len(places) != 1 || places[0].seq != l.end() || places[0].tag != l.tag || len(places[0].marks) != min(int(n), maxMarks) {
			t.Errorf("%q is read as %+v, %v", id, places, ok)
		}
	})
}
