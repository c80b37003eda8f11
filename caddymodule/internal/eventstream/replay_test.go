package eventstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	for _, tt := range []struct {
		script, none, last, two, all string
	}{
		{"", "", "", "", ""},
		{"a", "", "a", "a", "a"},
		{"a b c", "", "c", "b c", "a b c"},
		{"a b c a=1", "", "a=1", "c a=1", "b c a=1"},
		{"a b c -c", "", "b", "a b", "a b"},
		{"a b c -b !x", "", "c", "a c", "a c"},
		{"a b *", "", "", "", ""},
		{"a b * c d", "", "d", "c d", "c d"},
		{"a a=1 a=2 a=3", "", "a=3", "a=3", "a=3"},
		{"~a ~b c", "", "c", "b c", "~a ~b c"},
		{"a b -a a", "", "a", "b a", "b a"},
	} {
		for n, want := range map[int]string{0: tt.none, 1: tt.last, 2: tt.two, -1: tt.all, 100: tt.all} {
			for _, bounds := range []Bounds{wide, {3, 1 << 20}} {
				if n != 0 && n != 1 && n != 2 && bounds != wide {
					continue // the rest is not there any more
				}
				l := hear(NewLog("source", bounds, func() {}), tt.script)
				wantStart(t, fmt.Sprintf("%d of %q", n, tt.script), l, l.Replay(n), strings.ReplaceAll(want, "~", ""), "")
			}
		}
	}
}

// TestEveryPrefixOfAStartResumes: wherever a stream breaks off, be it before its
// first event, the client gets the rest when it comes back, and no gap, whether
// or not the log still has the events, and whatever comes meanwhile.
func TestEveryPrefixOfAStartResumes(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		bounds := Bounds{1 + r.IntN(12), 1 << 20}
		if r.IntN(3) == 0 {
			bounds = wide
		}
		l := hear(NewLog("source", bounds, func() {}), randomScript(r, r.IntN(40)))
		starts := []Start{l.Replay(r.IntN(6)), l.Replay(-1), l.Resume(l.ID(Position(r.IntN(40)))), l.Resume("garbage")}
		before := end(l)
		hear(l, randomScript(r, r.IntN(3)))
		after := wantEntries(t, l, max(before, Position(l.first)))
		if len(after) < int(end(l)-before) {
			continue // more came than the log retains
		}
		for _, start := range starts {
			wantPrefixesResume(t, fmt.Sprint("seed ", seed), l, start, after)
		}
	}
}

// wantPrefixesResume wants the rest of a start, less what was overwritten or
// retracted since and is known no more, and what came after it.
func wantPrefixesResume(t *testing.T, what string, l *Log, start Start, after []*Entry) {
	t.Helper()
	for n := range len(start.Entries) + 1 {
		id := start.ID
		if n > 0 {
			id = start.Entries[n-1].id
		}
		got := l.Resume(id)
		delivered := map[*Entry]int{}
		for _, e := range got.Entries {
			delivered[e]++
		}
		for _, e := range append(start.Entries[n:len(start.Entries):len(start.Entries)], after...) {
			if l.items.has(e) && e.published && delivered[e] != 1 {
				t.Errorf("%s: after %d of %q, %q comes %d times, want once; it got %q", what, n, words(start.Entries), words([]*Entry{e}), delivered[e], words(got.Entries))
			}
		}
		for _, e := range start.Entries[:n] {
			if got.Found && delivered[e] > 0 {
				t.Errorf("%s: after %d of %q, %q comes again", what, n, words(start.Entries), words([]*Entry{e}))
			}
		}
	}
}

// randomScript returns what may happen to a few items.
func randomScript(r *rand.Rand, n int) string {
	var script []string
	for i := range n {
		id := string(rune('a' + r.IntN(12)))
		switch r.IntN(12) {
		case 0, 1:
			script = append(script, "-"+id)
		case 2:
			script = append(script, "!x")
		case 3:
			if r.IntN(6) == 0 {
				script = append(script, "*")
			}
		default:
			script = append(script, fmt.Sprint(id, "=", r.Int32(), ".", i))
		}
	}
	return strings.Join(script, " ")
}
