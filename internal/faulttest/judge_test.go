package faulttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// did returns ops from words: an item's id, perhaps with a mark of its own after
// a slash, perhaps with a minus before it if it was retracted, perhaps with a
// question mark after it if that was not answered, or an exclamation mark if it
// was refused.
func did(words string) []op {
	var ops []op
	for _, word := range strings.Fields(words) {
		o := op{outcome: done}
		if text, ok := strings.CutSuffix(word, "?"); ok {
			word, o.outcome = text, unsure
		}
		if text, ok := strings.CutSuffix(word, "!"); ok {
			word, o.outcome = text, refused
		}
		if text, ok := strings.CutPrefix(word, "-"); ok {
			word, o.retract = text, true
		}
		id, mark, ok := strings.Cut(word, "/")
		if !ok && !o.retract {
			mark = id
		}
		o.id, o.mark = id, mark
		ops = append(ops, o)
	}
	return ops
}

// got returns the record of a stream from words: an op's as for did, perhaps
// with how many had been sent by then after an @; "<" and ">" for left and
// back, "<<" for left to another process; "gap:reason"; and "purge".
func got(ops []op, words string) []entry {
	var entries []entry
	stamp := 0
	for _, word := range strings.Fields(words) {
		word, at, ok := strings.Cut(word, "@")
		if ok {
			stamp, _ = strconv.Atoi(at) // the table below has numbers
		}
		e := entry{stamp: stamp}
		switch {
		case word == "<", word == "<<":
			e.what, e.cross = left, word == "<<"
		case word == ">":
			e.what = back
		case strings.HasPrefix(word, "gap:"):
			e.what, e.reason = gap, word[len("gap:"):]
		case word == "purge":
			e.what = purge
		case strings.HasPrefix(word, "-"):
			e.what, e.id = retract, word[1:]
		default:
			e = entry{what: item, id: word, mark: word, stamp: stamp}
			if id, mark, ok := strings.Cut(word, "/"); ok {
				e.id, e.mark = id, mark
			}
		}
		if !ok && (e.what == item || e.what == retract) {
			stamp = max(stamp, newest(ops, e)+1)
			e.stamp = stamp
		}
		entries = append(entries, e)
	}
	return entries
}

// newest returns the index of the newest op that the entry can be of, or -1.
func newest(ops []op, e entry) int {
	for i := len(ops) - 1; i >= 0; i-- {
		if o := ops[i]; o.id == e.id && o.mark == e.mark && o.retract == (e.what == retract) {
			return i
		}
	}
	return -1
}

// judgements are sequences, and all that is wrong about them.
var judgements = []struct {
	name     string
	kind     kind
	did, got string
	want     string // the faults' names, with commas
}{
	// Live, without any absence.
	{"all", retains, "1 2 3", "1 2 3", ""},
	{"loss", retains, "1 2 3", "1 3", lost},
	{"loss at the start", retains, "1 2 3", "2 3", lost},
	{"losses", retains, "1 2 3 4", "1 4", lost + "," + lost},
	{"double", retains, "1 2 3", "1 2 2 3", doubled},
	{"double later", retains, "1 2 3", "1 2 3 1", doubled},
	{"disorder", retains, "1 2 3", "1 3 2", disorder},
	{"unanswered, came", retains, "1 2? 3", "1 2 3", ""},
	{"unanswered, did not", retains, "1 2? 3", "1 3", ""},
	{"unanswered, twice", retains, "1 2? 3", "1 2 2 3", doubled},
	{"refused", retains, "1 2! 3", "1 3", ""},
	{"refused, came", retains, "1 2! 3", "1 2 3", foreign},
	{"invented", retains, "1 2", "1 x 2", foreign},
	{"another payload", retains, "1/a 2/b", "1/a 1/b 2/b", foreign},
	{"gap", retains, "1 2", "1 gap:expired 2", superfluousGap},
	{"gap for a loss", retains, "1 2 3", "1 gap:expired 3", lost + "," + superfluousGap},
	{"retract", retains, "1 2 -1 3", "1 2 -1 3", ""},
	{"retract lost", retains, "1 2 -1 3", "1 2 3", unretracted},
	{"retract twice", retains, "1 2 -1 3", "1 2 -1 -1 3", doubled},
	{"retract too late", retains, "1 2 -1 3", "1 2 3 -1", disorder},
	{"retract too early", retains, "1 2 -1 3", "1 -1 2 3", disorder},
	{"retract invented", retains, "1 2", "1 2 -1", foreign},
	{"retract refused", retains, "1 2 -1! 3", "1 2 -1 3", foreign},
	{"evicted", few, "1 2 3 4", "1 2 3 -1 4 -2", ""},
	{"evicted too early", few, "1 2 3 4", "1 -1 2 3 4", foreign},
	{"overwritten", cycles, "a/1 b/2 a/3 b/4", "a/1 b/2 a/3 b/4", ""},
	{"overwritten, lost", cycles, "a/1 b/2 a/3 b/4", "a/1 b/2 b/4", lost},
	{"overwritten, was outdated", cycles, "a/1 b/2 a/3 b/4", "a/1 a/3 b/4", lost},
	{"overwritten, disorder", cycles, "a/1 b/2 a/3 b/4", "a/1 b/2 b/4 a/3", disorder},
	{"the same", repeats, "a a a", "a a a", ""},
	{"the same, lost", repeats, "a a a", "a a", lost},
	{"the same, double", repeats, "a a a", "a a a a", doubled},
	{"the same, unanswered", repeats, "a a? a", "a a", ""},
	{"the same, gap", repeats, "a a", "a gap:expired a", superfluousGap},
	{"transient", transient, "1 2 3", "1 2 3", ""},
	{"transient, lost", transient, "1 2 3", "1 3", lost},
	{"transient, gap", transient, "1 2 3", "1 gap:not-retained 2 3", superfluousGap},

	// With the gateway away.
	{"absence", retains, "1 2 3 4 5", "1 < > 2@4 3 4 5", ""},
	{"absence in flight", retains, "1 2 3 4 5", "1 < 2 > 3@4 4 5", ""},
	{"absence, in flight and late", transient, "1 2 3 4", "1 <@2 > 2 gap:not-retained 4@4", ""},
	{"absence, loss", retains, "1 2 3 4 5", "1 < > 2@4 4 5", lost},
	{"absence, loss with gap", retains, "1 2 3 4 5", "1 < > gap:expired 2@4 4 5", lost + "," + superfluousGap},
	{"absence, loss after it", retains, "1 2 3 4 5", "1 < > 2@3 3 5", lost},
	{"absence, loss before it", retains, "1 2 3 4 5", "1 3 < > 4@4 5", lost},
	{"absence, double", retains, "1 2 3 4 5", "1 2 < > 2@4 3 4 5", doubled},
	{"absence, disorder", retains, "1 2 3 4 5", "1 < > 4@4 2 3 5", disorder + "," + disorder},
	{"absence, gap", retains, "1 2 3 4 5", "1 < > gap:expired 2@4 3 4 5", superfluousGap},
	{"absence, gap later", retains, "1 2 3 4 5", "1 < > 2@4 gap:expired 3 4 5", superfluousGap},
	{"absence until the end", retains, "1 2 3", "1 < > 3", lost},
	{"expired", few, "1 2 3 4 5 6", "1 < > gap:expired 4@5 5 6", ""},
	{"expired, retracts first", few, "1 2 3 4 5 6", "1 < > -1@5 gap:expired 4@5 5 6", ""},
	{"expired, no gap", few, "1 2 3 4 5 6", "1 < > 4@5 5 6", missingGap},
	{"expired, gap too late", few, "1 2 3 4 5 6", "1 < > 4@5 gap:expired 5 6", superfluousGap + "," + missingGap},
	{"expired, two gaps", few, "1 2 3 4 5 6", "1 < > gap:expired gap:expired 4@5 5 6", superfluousGap},
	{"expired, reason", few, "1 2 3 4 5 6", "1 < > gap:link-lost 4@5 5 6", wrongGap},
	{"expired, what is retained is lost", few, "1 2 3 4 5 6", "1 < > gap:expired 5@5 6", lost},
	{"transient, absence", transient, "1 2 3 4", "1 < > gap:not-retained 3@3 4", ""},
	{"transient, absence, nothing missed", transient, "1 2 3 4", "1 < > gap:not-retained 2@2 3 4", ""},
	{"transient, absence, no gap", transient, "1 2 3 4", "1 < > 3@3 4", missingGap},
	{"transient, absence, two gaps", transient, "1 2 3 4", "1 < > gap:not-retained gap:not-retained 3@3 4", superfluousGap},
	{"transient, absence, reason", transient, "1 2 3 4", "1 < > gap:link-lost 3@3 4", wrongGap},
	{"purge", retains, "1 2", "1 < > purge 2", foreign},
	{"purge, live", mute, "1 2", "1 purge 2", foreign},
	{"mute", mute, "1 2 3 4", "1 < > purge gap:purged 3@3 4", ""},
	{"mute, no gap", mute, "1 2 3 4", "1 < > purge 3@3 4", missingGap},
	{"mute, reason", mute, "1 2 3 4", "1 < > gap:link-lost 3@3 4", wrongGap},
	{"newest evicted, nothing missed", one, "1 2 3", "1 < > gap:expired 2@2 3", ""},
	{"newest evicted, missed", one, "1 2 3 4", "1 < > gap:expired 3@3 4", ""},
	{"newest evicted, missed, no gap", one, "1 2 3 4", "1 < > 3@3 4", missingGap},
	{"newest retracted, nothing missed", retains, "1 2 -1 3 -2 4", "1 < > gap:expired 2@4 -1 3 -2 4", ""},
	{"newest retained, gap", retains, "1 2 -1 3 4", "1 2 < > gap:expired -1 3@4 4", superfluousGap},
	{"transient, two absences", transient, "1 2 3 4 5", "1 < > gap:not-retained 3@3 < > gap:not-retained 5@5", ""},
	{"transient, two absences, one gap", transient, "1 2 3 4 5", "1 < > gap:not-retained 3@3 < > 5@5", missingGap},
	{"transient, lost after", transient, "1 2 3 4 5", "1 < > gap:not-retained 3@3 5", lost},
	{"retracting", retains, "1 2 -1 3 -2 4 -3", "1 2 < > -1 3@5 -2 4 -3", ""},
	{"retracting, unordered", retains, "1 2 -1 3 -2 4 -3", "1 2 < > -2@5 -1 3@5 4 -3", ""},
	{"retracting, what never came", retains, "1 2 -2 3 4", "1 < > 3@4 4", ""},
	{"retracting, what never came, with gap", retains, "1 2 -2 3 4", "1 < > gap:expired 3@4 4", ""},
	{"retracting, retract lost", retains, "1 2 -1 3 -2 4 -3", "1 2 < > -1 3@5 4 -3", unretracted},
	{"retracting, retained is lost", retains, "1 2 -1 3 4 5", "1 2 < > -1 4@5 5", lost},
	{"overwriting", cycles, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 < > b/4@5 a/5 b/6", ""},
	{"overwriting, with gap", cycles, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 < > gap:expired b/4@5 a/5 b/6", ""},
	{"overwriting, gap for nothing", cycles, "a/1 b/2 a/3", "a/1 < > gap:expired b/2@2 a/3", superfluousGap},
	{"overwriting, newest lost", cycles, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 < > a/5@5 b/6", lost},
	{"overwriting, unanswered overwrite", cycles, "a/1 b/2 b/3? a/4", "a/1 < > a/4@4", lost},
	{"overwriting, unanswered overwrite came", cycles, "a/1 b/2 b/3? a/4", "a/1 < > b/3@4 a/4", ""},
	{"overwriting, disorder", cycles, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 < > a/5@5 b/4 b/6", disorder},
	{"overwriting in place", places, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 < > a/5@5 b/4 b/6", ""},
	{"overwriting in place, live disorder", places, "a/1 b/2 a/3 b/4", "a/1 b/2 b/4 a/3", disorder},
	{"overwriting in place, disorder of one", places, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 b/2 < > a/5@6 a/3 b/4 b/6", disorder},
	{"the same, absence", repeats, "a a a a a a a a a a", "a a a a a a <@6 > a@9 a", ""},
	{"the same, lost after absence", repeats, "a a a a a a a a a a a a a a a a", "a a a a a a <@6 > a@9", lost},
	{"the same, absence, double", repeats, "a a a", "a a <@2 > a a", doubled},

	// From one process to another.
	{"other", retains, "1 2 3 4", "1 << > 2@3 3 4", ""},
	{"other, loss", retains, "1 2 3 4", "1 << > 3@3 4", lost},
	{"other, double", retains, "1 2 3 4", "1 2 << > 2@3 3 4", doubled},
	{"other, gap", retains, "1 2 3 4", "1 << > gap:unknown-id 2@3 3 4", superfluousGap},
	{"other, expired", few, "1 2 3 4 5 6", "1 << > gap:expired 4@5 5 6", ""},
	{"other, expired, unknown", few, "1 2 3 4 5 6", "1 << > gap:unknown-id 4@5 5 6", ""},
	{"other, expired, no gap", few, "1 2 3 4 5 6", "1 << > 4@5 5 6", missingGap},
	{"other, from nothing", retains, "1 2 3", "<< > 1@2 2 3", ""},
	{"other, from nothing, loss", retains, "1 2 3", "<< > 2@2 3", lost},
	{"other, from nothing, expired", few, "1 2 3 4 5", "<< > 3@4 4 5", ""},
	{"other, from nothing, transient", transient, "1 2 3", "<< > 2@2 3", missingGap},
	{"other, from nothing, mute", mute, "1 2 3", "<< > 2@2 3", ""},
	{"from nothing, expired", few, "1 2 3 4 5", "< > 3@4 4 5", missingGap},
	{"other, retract not seen", retains, "1 2 -1 3 4", "1 2 << > 3@4 4", ""},
	{"other, retract again", retains, "1 2 -1 3 4", "1 2 -1 << > -1 3@4 4", ""},
	{"other, retract lost later", retains, "1 2 3 -1 4", "1 << > 2@2 3 4", unretracted},
	{"other, transient known", transient, "1 2 3 4", "1 << > 2@3 3 4", ""},
	{"other, transient, nothing missed", transient, "1 2 3 4", "1 << > gap:not-retained 2@3 3 4", ""},
	{"other, transient, missed", transient, "1 2 3 4", "1 << > gap:unknown-id 3@3 4", ""},
	{"other, transient, no gap", transient, "1 2 3 4", "1 << > 3@3 4", missingGap},
	{"other, overwritten", cycles, "a/1 b/2 a/3 b/4 a/5", "a/1 << > b/4@4 a/5", lost},
	{"other, overwritten, in place", places, "a/1 b/2 a/3 b/4 a/5", "a/1 b/2 << > a/3@4 b/2 b/4 a/5", ""},
	{"other, in place, live loss", places, "a/1 b/2 a/3 b/4 a/5 b/6", "a/1 b/2 << > a/3@3 a/5 b/6", lost},
	{"other, in place, foreign", places, "a/1 b/2", "a/1 << > c/9 b/2", foreign},
	{"other, there and back", retains, "1 2 3 4", "1 << > << > 2@3 3 4", ""},
}

var (
	retains   = kind{keeps: 100}
	few       = kind{keeps: 2}
	one       = kind{keeps: 1}
	transient = kind{}
	mute      = kind{mute: true}
	repeats   = kind{keeps: 100, repeats: true}
	cycles    = kind{keeps: 100, overwrites: true}
	places    = kind{keeps: 100, overwrites: true, inPlace: true}
)

func TestJudge(t *testing.T) {
	for _, tt := range judgements {
		t.Run(tt.name, func(t *testing.T) {
			ops := did(tt.did)
			var names, texts []string
			for _, f := range check(tt.kind, ops, got(ops, tt.got)) {
				names = append(names, f.what)
				texts = append(texts, fmt.Sprintf("%s: %s", f.what, f.text))
			}
			want := strings.FieldsFunc(tt.want, func(c rune) bool { return c == ',' })
			slices.Sort(names)
			slices.Sort(want)
			if !slices.Equal(names, want) {
				t.Errorf("%s got %s: faults %q, want %q", tt.did, tt.got, texts, want)
			}
		})
	}
}
