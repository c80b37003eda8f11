package eventstream

import (
	"slices"
	"strings"
	"testing"
)

// A comparing is one call of Compare, with what is wanted of it.
type comparing struct {
	name              string
	log               string // what it has heard
	retained          string // what the service has
	incomplete, heard bool
	touched           string // what the log knows better; "-" is before what was retracted
	gap               string
	retracted, fresh  string
	purged            bool
	kept              string // the items that the log still has; "=" is those that are retained
}

func (tt comparing) run(t *testing.T, l *Log) {
	t.Helper()
	items := versions(tt.retained)
	touched := map[string]bool{}
	for _, word := range strings.Fields(tt.touched) {
		id, retracted := strings.CutPrefix(word, "-")
		touched[id] = retracted
	}
	d := l.Compare(items, !tt.incomplete, tt.heard, touched)
	var fresh []string
	for _, i := range d.New {
		fresh = append(fresh, strings.Fields(tt.retained)[i])
	}
	if d.Gap != tt.gap || d.Purged != tt.purged || strings.Join(d.Retracted, " ") != tt.retracted || strings.Join(fresh, " ") != tt.fresh {
		t.Errorf("%s: gap %q, purged %v, retracted %q, new %q; want %q, %v, %q, %q",
			tt.name, d.Gap, d.Purged, d.Retracted, fresh, tt.gap, tt.purged, tt.retracted, tt.fresh)
	}
	if tt.kept != "" {
		wantWords(t, tt.name+", kept", l.Replay(-1).Entries, tt.kept)
	}
}

func TestCompare(t *testing.T) {
	twenty, thirty := series("a", 1, 20), series("a", 1, 30)
	for _, tt := range []comparing{
		{name: "nothing", log: "", retained: ""},
		{name: "as it was", log: "a b c", retained: "a b c"},
		{name: "in another order, as ejabberd after an overwrite", log: "a b c a=1", retained: "a=1 b c"},
		{name: "one came", log: "a b", retained: "a b c", fresh: "c"},
		{name: "the first came", log: "", retained: "a b", fresh: "a b"},
		{name: "many came, and there may have been more", log: "", retained: twenty, fresh: twenty, gap: Expired},
		{name: "overwritten, by publication", log: "a b c", retained: "a c b=1", fresh: "b=1"},
		{name: "overwritten, by creation", log: "a b c", retained: "a b=1 c", fresh: "b=1"},
		{name: "all overwritten", log: "a b c", retained: "a=1 b=1 c=1", fresh: "a=1 b=1 c=1"},
		{name: "a singleton again", log: "a", retained: "a=1", fresh: "a=1"},
		{name: "content unknown to the log", log: "a=? b=?", retained: "a b c", fresh: "c"},
		{name: "content unknown to the service", log: "a b", retained: "a=? b=? c=?", fresh: "c=?"},

		{name: "retracted", log: "a b c", retained: "a c", retracted: "b"},
		{name: "the last retracted", log: "a b c", retained: "a b", retracted: "c"},
		{name: "the first retracted", log: "a b c", retained: "b c", retracted: "a"},
		{name: "some retracted, the oldest first", log: "c b a d", retained: "d", retracted: "c b a"},
		{name: "retracted, and one came", log: "a b c", retained: "a c d", retracted: "b", fresh: "d"},
		{name: "the only one retracted", log: "a", retained: "", retracted: "a"},
		{name: "retracted in a full node", log: thirty, retained: series("a", 11, 25) + " " + series("a", 27, 30), retracted: "a26", kept: series("a", 11, 30)},

		{name: "purged", log: "a b", retained: "", purged: true, gap: Purged},
		{name: "purged and filled", log: "a b", retained: "c", gap: Expired, fresh: "c", kept: "="},
		{name: "all expired", log: twenty, retained: series("b", 1, 20), gap: Expired, fresh: series("b", 1, 20), kept: "="},

		{name: "evicted before the link was lost", log: thirty, retained: series("a", 11, 30), kept: series("a", 11, 30)},
		{name: "evicted meanwhile", log: twenty, retained: series("a", 6, 20) + " b c d e f", fresh: "b c d e f", kept: series("a", 6, 20)},
		{name: "evicted meanwhile, all but one", log: twenty, retained: "a20 " + series("b", 1, 19), fresh: series("b", 1, 19), kept: "a20"},
		{name: "evicted meanwhile by overwrites and others", log: twenty, retained: series("a", 3, 20) + " a1=1 b", fresh: "a1=1 b", retracted: "a2"},

		{name: "one came, and the last was published again as it is", log: "a b", retained: "a c b", fresh: "c"},
		{name: "all but one expired, which was published again as it is", log: twenty, retained: series("b", 1, 19) + " a20", gap: Expired, fresh: series("b", 1, 19), kept: "a20"},

		{name: "what is touched is not told", log: "a b c d", retained: "a b=1 e f", touched: "b c f", fresh: "e", retracted: "d"},
		{name: "what is touched does not hide a gap", log: twenty + " x", retained: series("b", 1, 19) + " x", touched: "x", gap: Expired, fresh: series("b", 1, 19), kept: "x"},
		{name: "one was retained, and none that is there was missed", log: "a", retained: "b", touched: "b -a"},
		{name: "one was retained, and others were missed", log: "a", retained: "c", touched: "c -b", gap: Expired, kept: "="},
		{name: "one was retained, others were missed, and the next is to come", log: "a", retained: "", touched: "c -b", gap: Expired, kept: "="},
		{name: "one was retained, and the next comes", log: "a", retained: "a", touched: "b"},

		{name: "not all is told", log: "a b c", retained: "b c d", incomplete: true, fresh: "d", kept: "b c"},
		{name: "not all is told, and nothing is known", log: "a b c", retained: "d e f", incomplete: true, gap: Expired, fresh: "d e f", kept: "="},
	} {
		if tt.kept == "=" {
			tt.kept = ""
			l := hear(newLog(), tt.log)
			tt.run(t, l)
			wantWords(t, tt.name+", kept", l.Replay(-1).Entries, "")
			continue
		}
		tt.run(t, hear(newLog(), tt.log))
	}
}

// TestCompareLearnsCapacity: items that go although all was heard have made
// place for others.
func TestCompareLearnsCapacity(t *testing.T) {
	l := hear(newLog(), series("a", 1, 8))
	comparing{name: "unheard", retained: series("a", 4, 8), retracted: "a1 a2 a3"}.run(t, l)

	l = hear(newLog(), series("a", 1, 8))
	comparing{name: "heard", retained: series("a", 4, 8), heard: true, kept: series("a", 4, 8)}.run(t, l)
	comparing{name: "later, unheard", retained: "a6 a7 a8 b1 b2", fresh: "b1 b2", kept: "a6 a7 a8"}.run(t, l)
	hear(l, "b1 b2")
	comparing{name: "a retraction after that", retained: "a6 a8 b1 b2", retracted: "a7"}.run(t, l)
	hear(l, "-a7")
	comparing{name: "more are retained than ever", retained: "a6 a8 b1 b2 b3 b4 b5", fresh: "b3 b4 b5"}.run(t, l)
}

// TestCompareLearnsNothingOfWhatIsBetween: an item that is gone while an older one
// is there was retracted, though nobody told.
func TestCompareLearnsNothingOfWhatIsBetween(t *testing.T) {
	l := hear(newLog(), series("a", 1, 5))
	comparing{name: "heard", retained: "a1 a2 a4 a5", heard: true, retracted: "a3"}.run(t, l)
	hear(l, "-a3")
	comparing{name: "the oldest", retained: "a2 a4 a5 a6", retracted: "a1", fresh: "a6"}.run(t, l)
}

// TestCompareKnowsWhatIsFull: a node that is known to retain few items may have
// had more of them when it has as many.
func TestCompareKnowsWhatIsFull(t *testing.T) {
	l := hear(newLog(), series("a", 1, 8))
	comparing{name: "heard", retained: series("a", 4, 8), heard: true}.run(t, l)
	hear(l, "*")
	comparing{name: "not full", retained: "b1 b2 b3 b4", fresh: "b1 b2 b3 b4"}.run(t, l)
	comparing{name: "full", retained: "b1 b2 b3 b4 b5", fresh: "b1 b2 b3 b4 b5", gap: Expired}.run(t, l)
	l = hear(newLog(), series("a", 1, 8))
	comparing{name: "heard", retained: series("a", 4, 8), heard: true}.run(t, l)
	wantStart(t, "a client that had nothing", l, l.Resume(endID(newLog())), series("a", 4, 8), Expired)
}

// TestCompareAfterIncompleteFill: a log that was filled with the newest of what
// there was does not take older ones for new, when they are told later.
func TestCompareAfterIncompleteFill(t *testing.T) {
	l := newLog()
	l.Compare(versions("a6 a7 a8"), false, false, nil)
	hear(l, "~a6 ~a7 ~a8")
	comparing{name: "the last was retracted", retained: "a5 a6 a7", incomplete: true, retracted: "a8"}.run(t, l)
	hear(l, "-a8")
	comparing{name: "more is asked for", retained: series("a", 1, 7) + " a9", fresh: "a9"}.run(t, l)
}

// TestCompareLearnsOnlyFromAll: an answer that is not all, or comes after an
// outage, says nothing about how much the service retains.
func TestCompareLearnsOnlyFromAll(t *testing.T) {
	for _, tt := range []comparing{
		{name: "not all", retained: "a5 a6 a7 a8", incomplete: true, heard: true},
		{name: "nothing went", retained: series("a", 1, 8), heard: true},
		{name: "a gap", retained: "b1 b2", heard: true, gap: Expired, fresh: "b1 b2"},
	} {
		l := hear(newLog(), series("a", 1, 8))
		tt.run(t, l)
		if l.capacity != 0 {
			t.Errorf("%s: the capacity is taken to be %d, want nothing learned", tt.name, l.capacity)
		}
	}
}

// TestCompareTrimmed: a log that has forgotten old items for its own bounds does
// not take them for new ones, nor for retracted.
func TestCompareTrimmed(t *testing.T) {
	for _, tt := range []comparing{
		{name: "all that there was", retained: series("a", 1, 8)},
		{name: "and one more", retained: series("a", 1, 8) + " b", fresh: "b"},
		{name: "and an overwrite of one that was forgotten", retained: "a1 " + series("a", 3, 8) + " a2=1", fresh: "a2=1"},
		{name: "and an overwrite of one that is known", retained: series("a", 1, 5) + " a7 a8 a6=1", fresh: "a6=1"},
		{name: "and an overwrite in place", retained: series("a", 1, 5) + " a6=1 a7 a8", fresh: "a6=1"},
		{name: "only what is known is told", retained: "a6 a7 a8", incomplete: true},
		{name: "the last was retracted", retained: series("a", 1, 7), retracted: "a8"},
		{name: "the last was retracted, and not all is told", retained: "a5 a6 a7", incomplete: true, retracted: "a8"},
	} {
		tt.run(t, hear(NewLog("source", Bounds{3, 1 << 20}, func() {}), series("a", 1, 8)))
	}
}

// TestCompareIsFollowedThrough: who does what Compare says has what the service
// has, and a second comparison finds nothing.
func TestCompareIsFollowedThrough(t *testing.T) {
	for _, tt := range []struct{ log, retained string }{
		{"a b c", "a c d"}, {"a b c", ""}, {"a b c", "d"}, {"", "a"}, {"a b c", "c=1"}, {"a", ""},
		{series("a", 1, 30), series("a", 15, 30) + " b c d e"}, {series("a", 1, 30), "a30=1"},
	} {
		l := hear(newLog(), tt.log)
		reconcile(l, versions(tt.retained), true, false, nil)
		d := l.Compare(versions(tt.retained), true, false, nil)
		if d.Gap != "" || d.Purged || len(d.Retracted)+len(d.New) > 0 {
			t.Errorf("%q after %q: once more there is %+v, want nothing", tt.retained, tt.log, d)
		}
		var got, want []string
		for _, e := range l.Replay(-1).Entries {
			got = append(got, e.item.ID)
		}
		for _, item := range versions(tt.retained) {
			want = append(want, item.ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q after %q: the log has %q, want %q", tt.retained, tt.log, got, want)
		}
	}
}
