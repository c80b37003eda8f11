package eventstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestResumeExactly has every place of a log be found in it, and nothing be lost
// or come twice.
func TestResumeExactly(t *testing.T) {
	l := hear(newLog(), "!x a b a=1 -b !y b a=1 a=1 * c c=1 ~d -nothing !z")
	all := wantEntries(t, l, 0)
	for at := range len(all) + 1 {
		start := l.Resume(l.ID(Position(at)))
		wantStart(t, fmt.Sprint("place ", at), l, start, words(all[at:]), "")
		if !start.Found || start.ID != l.ID(Position(at)) || start.Tag != l.Tag() {
			t.Errorf("place %d: found %v, %q, tag %q", at, start.Found, start.ID, start.Tag)
		}
		if at > 0 && all[at-1].id != l.ID(Position(at)) {
			t.Errorf("place %d: the event has the id %q, the place %q", at, all[at-1].id, l.ID(Position(at)))
		}
	}
}

// TestResumeWhatTheLogForgot comes back to a log that has forgotten the events
// since: what is still retained of them comes once, and nothing else.
func TestResumeWhatTheLogForgot(t *testing.T) {
	noise := series("!x", 1, 40)
	for _, tt := range []struct{ name, before, after, want, gap string }{
		{"nothing came", "a b c", "", "", ""},
		{"one came", "a b c", "d", "d", ""},
		{"one came and went", "a b c", "d -d", "", ""},
		{"the last was overwritten", "a b c", "c=1", "c=1", ""},
		{"the last was retracted", "a b c", "-c", "", ""},
		{"the last was retracted and one came", "a b c", "-c d", "d", ""},
		{"all that the ID knows were overwritten", series("a", 1, 8), "a3=1 a4=1 a5=1 a6=1 a7=1 a8=1", "a3=1 a4=1 a5=1 a6=1 a7=1 a8=1", ""},
		{"of many, all that the ID knows were overwritten", series("a", 1, 30), "a25=1 a26=1 a27=1 a28=1 a29=1 a30=1", "a25=1 a26=1 a27=1 a28=1 a29=1 a30=1", ""},
		{"the last was published again as it is", "a b c", "d e c", "d e c", ""},
		{"purged", "a b c", "*", "", Purged},
		{"purged and filled", "a b c", "* a=1 d", "a=1 d", Expired},
		{"purged and filled as it was, and more", "a b c", "* a b c d", "a b c d", Expired},
		{"all were retracted", "a b c", "-a -b -c", "", Purged},
		{"all were retracted and one came", "a b c", "-a -b -c d", "d", ""},
		{"from nothing", "", "a b", "a b", ""},
		{"from nothing, come and gone", "", "a b -a -b", "", ""},
		{"from nothing, many", "", series("a", 1, 30), series("a", 1, 30), ""},
		{"more than is retained", "a b c", series("d", 1, 40), series("d", 9, 40), Expired},
		{"more than is retained, from nothing", "", series("d", 1, 40), series("d", 9, 40), Expired},
		{"as many as are retained", "a b c", series("d", 1, 32), series("d", 1, 32), ""},
		{"more than is retained, once", "a b c", series("d", 1, 40) + " e", series("d", 10, 40) + " e", Expired},
	} {
		l := hear(NewLog("source", Bounds{32, 1 << 20}, func() {}), tt.before)
		id := endID(l)
		hear(l, tt.after+" "+noise)
		start := l.Resume(id)
		wantStart(t, tt.name, l, start, tt.want, tt.gap)
		if start.Found != (tt.gap == "") {
			t.Errorf("%s: found %v", tt.name, start.Found)
		}
		wantStart(t, tt.name+", again", l, l.Resume(start.ID), tt.want, "")
	}
}

// TestResumeWhatWasEvicted: a log that has evicted what a client has not got says
// so, however little it retains.
func TestResumeWhatWasEvicted(t *testing.T) {
	for _, before := range []string{"", "a", "a b c"} {
		l := hear(NewLog("source", Bounds{5, 1 << 20}, func() {}), before)
		id := endID(l)
		hear(l, series("d", 1, 6)+" !x !x !x !x !x")
		wantStart(t, fmt.Sprintf("after %q", before), l, l.Resume(id), series("d", 2, 6), Expired)
	}
}

// TestResumeInAnotherLog comes back to a log that was filled with the items that
// the service retains.
func TestResumeInAnotherLog(t *testing.T) {
	many := series("a", 1, 30)
	for _, tt := range []struct{ name, heard, retained, want, gap string }{
		// Both orders.
		{"nothing came", "a b c", "a b c", "", ""},
		{"one came", "a b c", "a b c d", "d", ""},
		{"many came", many, many + " b", "b", ""},
		{"one came, others went", many, series("a", 12, 30) + " b", "b", ""},
		{"the last was retracted", "a b c", "a b", "", ""},
		{"the last was retracted and one came", "a b c", "a b d", "d", ""},
		{"the last two were retracted and one came", "a b c", "a d", "d", ""},
		{"the client has heard the retraction", "a b c -c", "a b d", "d", ""},
		{"the client has heard retractions until there was nothing", "a b -a -b", "a", "a", ""},
		{"nothing was there, nothing is", "", "", "", ""},
		{"nothing was there", "", "a b", "a b", ""},
		{"nothing was there, and there may have been more", "", many, many, Expired},
		{"purged", "a b c", "", "", Purged},
		{"the only one was retracted", "a", "", "", Purged},
		{"purged and filled", "a b c", "d e", "d e", Expired},
		{"the client has heard the purge", "a b c *", "d e", "d e", ""},
		{"more than is retained", many, series("b", 1, 20), series("b", 1, 20), Expired},
		{"more than is retained, of a few", "a b c d", "e f g", "e f g", Expired},
		{"as much as is retained, of a few", "a b c", "c d e", "d e", ""},
		{"a singleton", "a", "a", "", ""},
		{"a singleton that was overwritten", "a", "a=1", "a=1", ""},
		{"a singleton that was overwritten again and again", "a a=1 a=2", "a=9", "a=9", ""},
		{"all were overwritten", "a b c", "a=1 b=1 c=1", "a=1 b=1 c=1", ""},

		// By publication, as Prosody.
		{"the last was overwritten", "a b c", "a b c=1", "c=1", ""},
		{"the first was overwritten", "a b c", "b c a=1", "a=1", ""},
		{"one came and the last was overwritten", "a b c", "a b d c=1", "d c=1", ""},
		{"the last 2 were overwritten", "a b c", "a b=1 c=1", "b=1 c=1", ""},
		{"the last 5 were overwritten", series("a", 1, 9), series("a", 1, 4) + " a9=1 a8=1 a7=1 a6=1 a5=1", "a9=1 a8=1 a7=1 a6=1 a5=1", ""},
		{"the client has heard an overwrite", "a b c a=1", "b c a=1 d", "d", ""},
		{"it was heard, and again", "a b c a=1", "b c a=2", "a=2", ""},
		{"the last 6 were overwritten", series("a", 1, 7), "a1 " + series("a=", 2, 2) + " a3=1 a4=1 a5=1 a6=1 a7=1", "a1 a=2 a3=1 a4=1 a5=1 a6=1 a7=1", Expired},

		{"one came and the last was published again as it is", "a b c", "a b d c", "d", ""},
		{"the same of many", many, series("a", 2, 29) + " b c a30", "b c", ""},
		{"one came, the last changed and changed back", "a b c=on", "a b d c=on", "d", ""},
		{"others than the last did", "a b c", "c d a b", "d", ""},

		// By creation, as ejabberd.
		{"overwritten in place", "a b c", "a b c=1", "c=1", ""},
		{"overwritten in place and one came", "a b c", "a b c=1 d", "c=1 d", ""},
		{"the client has heard an overwrite in place", "a b c b=1", "a b=1 c", "", ""},
		{"it was heard, and one came", "a b c b=1", "a b=1 c d", "d", ""},
		{"one came, and then it was heard", "a b c d b=1", "a b=1 c d e", "e", ""},
		{"two were heard", "a b c b=1 a=1", "a=1 b=1 c d", "d", ""},
		{"one in the middle", "a b c", "a b=1 c", "b=1", ""},
		{"the first", "a b c", "a=1 b c", "a=1", ""},
		{"one of many", many, series("a", 1, 26) + " a27=1 a28 a29 a30", "a27=1", ""},
		{"the oldest that the ID knows", many, series("a", 1, 24) + " a25=1 " + series("a", 26, 30), "a25=1", ""},
		{"an old one of many is only found by those who stayed", many, "a1 a2=1 " + series("a", 3, 30), "", ""},

		// Content that is not known.
		{"payloads are not delivered", "a=? b=?", "a b c", "c", ""},
		{"payloads are not told", "a b", "a=? b=? c=?", "c=?", ""},
		{"payloads are neither", "a=? b=? c=?", "a=? b=? c=? d=?", "d=?", ""},
	} {
		l := fill(tt.retained)
		start := l.Resume(endID(hear(newLog(), tt.heard)))
		wantStart(t, tt.name, l, start, tt.want, tt.gap)
		for range 2 { // who comes back before the first event gets all of it
			start = l.Resume(start.ID)
			wantStart(t, tt.name+", again", l, start, tt.want, "")
		}
	}
}

// TestResumeInAnotherLogThatHears comes back to a log that hears what happens as
// well, and may have forgotten the events since.
func TestResumeInAnotherLogThatHears(t *testing.T) {
	for _, tt := range []struct{ name, heard, then, want, retained string }{
		{"nothing came", "a b c", "", "", ""},
		{"one came", "a b c", "d", "d", "d"},
		{"the last was overwritten", "a b c", "c=1", "c=1", "c=1"},
		{"the last was overwritten again and again", "a b c", "c=1 c=2 c=3", "c=1 c=2 c=3", "c=3"},
		{"all were overwritten", "a b c", "a=1 b=1 c=1", "a=1 b=1 c=1", "a=1 b=1 c=1"},
		{"the last was retracted", "a b c", "-c", "-c", ""},
		{"the last was retracted and came again", "a b c", "-c c=1", "-c c=1", "c=1"},
		{"came and went", "a b c", "d -d", "", ""},
		{"the client has heard what came and went", "a b c d -d", "e", "e", "e"},
		{"one came and the last was published again as it is", "a b c", "d c", "d c", "d"},
		{"the same of many", series("a", 1, 9), "d a9", "d a9", "d"},
		{"one came, the last changed and changed back", "a b c=on", "d c=off c=on", "d c=off c=on", "d"},
	} {
		l := hear(newLog(), tt.heard)
		id := endID(l)
		other := hear(hear(newLog(), tt.heard), tt.then)
		wantStart(t, tt.name, other, other.Resume(id), tt.want, "")
		other = hear(hear(NewLog("source", Bounds{8, 1 << 20}, func() {}), tt.heard), tt.then+" "+series("!x", 1, 12))
		start := other.Resume(id)
		start.Entries = slices.DeleteFunc(start.Entries, func(e *Entry) bool { return !e.published })
		wantStart(t, tt.name+", forgotten", other, start, tt.retained, "")
	}
}

// TestResumeTellsItemsWithoutContent: among many items whose content is not
// known, one that is gone is not taken for another.
func TestResumeTellsItemsWithoutContent(t *testing.T) {
	var known []string
	for i := range 1000 {
		known = append(known, fmt.Sprintf("~k%d=?", i))
	}
	l := hear(newLog(), strings.Join(known, " "))
	for i := range 20 {
		gone := hear(newLog(), series(fmt.Sprint("gone", i, "."), 1, 6))
		if got := l.Resume(endID(gone)); got.Found {
			t.Errorf("%d: a place is found after which %d of 1000 items come, want none", i, len(got.Entries))
		}
	}
}

// TestResumeTellsThatItIsBehind: what the client has may not have come here yet.
func TestResumeTellsThatItIsBehind(t *testing.T) {
	for _, tt := range []struct {
		heard, here string
		want        bool
	}{
		{"", "", false},
		{"", "a", false},
		{"a b", "a b", false},
		{"a b", "a b c", false},
		{"a b", "a b b=1", false},
		{"a b", "a", true},
		{"a b b=1", "a b", true},
		{"a", "", true},
		{"a", "b", true},
		{"a -a", "a", false}, // a retraction leaves nothing to wait for
		{"a b", "~b ~a", false},
	} {
		if got := hear(newLog(), tt.here).Resume(endID(hear(newLog(), tt.heard))).Behind; got != tt.want {
			t.Errorf("who has heard %q is ahead of %q: %v, want %v", tt.heard, tt.here, got, tt.want)
		}
	}
	l := hear(NewLog("source", Bounds{3, 1 << 20}, func() {}), "a")
	id := endID(l)
	if hear(l, series("b", 1, 9)).Resume(id).Behind {
		t.Error("a log is behind its own places")
	}
}

func TestResumeAfterBareItem(t *testing.T) {
	l := hear(newLog(), "a b c a=1 d/é d,e 100% x%20y -c")
	for id, want := range map[string]string{
		"a":          "d/é d,e 100% x%20y -c", // the last version of it
		"b":          "c a=1 d/é d,e 100% x%20y -c",
		"d/é":        "d,e 100% x%20y -c",
		"d%2F%C3%A9": "d,e 100% x%20y -c",
		"d,e":        "100% x%20y -c",
		"d%2Ce":      "100% x%20y -c",
		"100%":       "x%20y -c",
		"100%25":     "x%20y -c",
		"x%20y":      "-c",
		"x%2520y":    "-c",
	} {
		start := l.Resume(id)
		wantStart(t, id, l, start, want, "")
		if !start.Found || start.Tag != "" {
			t.Errorf("%s: found %v, tag %q", id, start.Found, start.Tag)
		}
	}
	for _, id := range []string{"", "c", "e", "%", "%zz", "100", "a,", "\x00", "日本"} {
		start := l.Resume(id)
		wantStart(t, id, l, start, "b a=1 d/é d,e 100% x%20y", UnknownID)
		if start.Found {
			t.Errorf("%q is found", id)
		}
	}
	l = hear(NewLog("source", Bounds{4, 1 << 20}, func() {}), "a b c !x !x !x !x")
	wantStart(t, "an item whose event is forgotten", l, l.Resume("a"), "b c", "")
	wantStart(t, "the event before the oldest that is there", l, l.Resume("c"), "!x !x !x !x", "")
}

func TestResumeOfOtherSources(t *testing.T) {
	l := hear(newLog(), "a b")
	other := hear(NewLog("other", wide, func() {}), "a b")
	start := l.Resume(endID(other))
	wantStart(t, "another source", l, start, "a b", UnknownID)
	if start.Found || start.Tag != "" {
		t.Errorf("another source: found %v, tag %q", start.Found, start.Tag)
	}
}

// TestResumeForged has IDs of ours that were never given out. None is refused,
// and none gets less than what is retained after what it names.
func TestResumeForged(t *testing.T) {
	l := hear(newLog(), "a b c")
	with := func(change func(*place)) string {
		places, _ := parseID(endID(l))
		change(&places[0])
		return joinID("x", places[0].encode())
	}
	for _, tt := range []struct{ name, id, want, gap string }{
		{"the future", with(func(p *place) { p.seq = 4 }), "a b c", UnknownID},
		{"the end of time", with(func(p *place) { p.seq = 1<<64 - 1 }), "a b c", UnknownID},
		{"the future of nothing", with(func(p *place) { p.seq, p.marks = 4, nil }), "a b c", UnknownID},
		{"marks of nothing", with(func(p *place) { p.tag, p.marks = "AAAAAA", []mark{1, 2} }), "a b c", Expired},
		{"a log of nothing", with(func(p *place) { p.tag = "AAAAAA" }), "", ""},
		{"a place whose marks are another's", with(func(p *place) { p.seq = 1 }), "b c", ""},
	} {
		wantStart(t, tt.name, l, l.Resume(tt.id), tt.want, tt.gap)
	}
	twice := strings.Repeat(separator+cutPlaces(l.ID(1)), 2)
	wantStart(t, "one place twice", l, l.Resume(twice), "b c", "")
}

// TestResumeOfSeveralPlaces: in the ID of a stream of several sources, each finds
// its own, whatever the others are.
func TestResumeOfSeveralPlaces(t *testing.T) {
	var logs []*Log
	var places []string
	for _, name := range []string{"one", "two", "three"} {
		l := hear(NewLog(name, wide, func() {}), "a")
		places = append(places, cutPlaces(endID(l)))
		logs = append(logs, hear(l, "b"))
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1}, {2, 0}} {
		var chosen []string
		named := map[int]bool{}
		for _, i := range order {
			chosen, named[i] = append(chosen, places[i]), true
		}
		id := joinID("item", chosen...)
		for i, l := range logs {
			want, gap := "b", ""
			if !named[i] {
				want, gap = "a b", UnknownID
			}
			wantStart(t, fmt.Sprint("source ", i, " of ", order), l, l.Resume(id), want, gap)
		}
	}
}

// FuzzResume has any ID come back: it gets an answer, which is something of the
// log or all that is retained, and from which it can go on.
func FuzzResume(f *testing.F) {
	l := hear(NewLog("source", Bounds{8, 1 << 20}, func() {}), "a b c a=1 -b "+series("d", 1, 9)+" !x !y")
	foreign := hear(newLog(), "a b d8 d9")
	for _, id := range []string{
		"", "a", ",", ",,", "a%", "%00", "\x00\n", "d8", "d%38", endID(l), l.ID(0), l.ID(9), endID(foreign), foreign.ID(1),
		endID(foreign) + "," + cutPlaces(endID(l)), strings.Repeat("x", 10_000), strings.Repeat(",", 10_000), strings.Repeat("%41", 10_000),
		strings.Repeat(","+cutPlaces(endID(foreign)), 300), strings.Repeat(endID(l), 300),
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		start := l.Resume(id)
		if !start.Found {
			wantWords(t, fmt.Sprintf("%.80q is not found", id), start.Entries, words(l.Replay(-1).Entries))
		}
		if start.Next != end(l) {
			t.Errorf("%.80q goes on at %d, want %d", id, start.Next, end(l))
		}
		wantVisible(t, start.ID)
		if again := l.Resume(start.ID); words(again.Entries) != words(start.Entries) {
			t.Errorf("%.80q gets %q, and after %q it gets %q", id, words(start.Entries), start.ID, words(again.Entries))
		}
	})
}

// TestResumeBeforeAGap has a log that missed events, which a client of another
// one may have heard or not: it is told of the gap.
func TestResumeBeforeAGap(t *testing.T) {
	l := hear(newLog(), "a b")
	l.Miss(Event{Name: "gap", Data: "x"})
	hear(l, "e f")
	for _, tt := range []struct{ knows, want string }{{"a b", "gap e f"}, {"a b c", "e f"}} {
		start := l.Resume(endID(hear(newLog(), tt.knows)))
		var got []string
		for _, e := range start.Entries {
			got = append(got, e.name+e.item.ID)
		}
		if strings.Join(got, " ") != tt.want || start.Gap == "" && got[0] != "gap" {
			t.Errorf("who knows %q gets %q after the gap %q, want %q", tt.knows, got, start.Gap, tt.want)
		}
	}
}
