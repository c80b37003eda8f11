package faulttest

import (
	"fmt"
	"strings"
)

// The ways in which a stream can be wrong.
const (
	lost           = "lost"
	doubled        = "doubled"
	disorder       = "disorder"
	unretracted    = "retract lost"
	foreign        = "foreign"
	missingGap     = "gap missing"
	superfluousGap = "gap superfluous"
	wrongGap       = "gap with a wrong reason"
)

// A fault is something wrong about what a stream got.
type fault struct {
	what string // one of the constants
	text string
}

// A judge compares what a stream got of a node with what was done to the node.
type judge struct {
	kind    kind
	ops     []op
	entries []entry

	index    []int       // of the op of each entry; -1 of none
	times    map[int]int // how often an op was seen, by index
	absences []*absence
	faults   []fault
}

// check returns all that is wrong. The last op has to have been seen already.
func check(k kind, ops []op, entries []entry) []fault {
	j := &judge{kind: k, ops: ops, entries: entries, times: map[int]int{}}
	j.match()
	j.findAbsences()
	if k.repeats {
		j.checkCount()
	} else {
		j.checkOrder()
		j.checkLost()
	}
	j.checkGaps()
	return j.faults
}

func (j *judge) fault(what, format string, args ...any) {
	j.faults = append(j.faults, fault{what, fmt.Sprintf(format, args...)})
}

// name tells the op in words.
func (j *judge) name(index int) string {
	switch {
	case index < 0:
		return "the start"
	case j.ops[index].retract:
		return fmt.Sprintf("op %d, retract %s", index, j.ops[index].id)
	}
	return fmt.Sprintf("op %d, item %s with %s", index, j.ops[index].id, j.ops[index].mark)
}

// around tells what came before and after an entry, as words.
func (j *judge) around(entry int) string {
	var words []string
	for i := max(0, entry-4); i < min(len(j.entries), entry+8); i++ {
		words = append(words, j.word(i))
	}
	return "…" + strings.Join(words, " ") + "…"
}

func (j *judge) word(i int) string {
	e := j.entries[i]
	switch e.what {
	case item:
		return e.mark
	case retract:
		return "-" + e.id
	case purge:
		return "purge"
	case gap:
		return "gap:" + e.reason
	case left:
		return "LEFT"
	case back:
		return "BACK"
	}
	return "?"
}

// match finds the op of each entry.
func (j *judge) match() {
	published, retracted := map[string]int{}, map[string]int{}
	for i, o := range j.ops {
		if o.retract {
			retracted[o.id] = i
		} else if _, again := published[o.mark]; !again {
			published[o.mark] = i
		}
	}
	j.index = make([]int, len(j.entries))
	for i, e := range j.entries {
		j.index[i] = -1
		switch e.what {
		case item:
			j.matchItem(i, published)
		case retract:
			j.matchRetract(i, retracted)
		case odd:
			j.fault(foreign, "%s", e.reason)
		}
		if at := j.index[i]; at >= 0 {
			j.times[at]++
		}
	}
}

func (j *judge) matchItem(i int, published map[string]int) {
	e := j.entries[i]
	at, ok := published[e.mark]
	switch {
	case !ok || j.ops[at].id != e.id:
		j.fault(foreign, "item %s with %q, which was never published", e.id, e.mark)
	case j.ops[at].outcome == refused:
		j.fault(foreign, "%s, which was refused", j.name(at))
	default:
		j.index[i] = at
	}
}

func (j *judge) matchRetract(i int, retracted map[string]int) {
	e := j.entries[i]
	at, ok := retracted[e.id]
	switch {
	case !ok && !j.evicted(e):
		j.fault(foreign, "retract %s, which was not retracted", e.id)
	case ok && j.ops[at].outcome == refused:
		j.fault(foreign, "%s, which was refused", j.name(at))
	case ok:
		j.index[i] = at
	}
}

// evicted tells whether the service may have forgotten an item by itself by
// then, of which ejabberd tells as of a retract.
func (j *judge) evicted(e entry) bool {
	for i, o := range j.ops {
		if o.id == e.id && !o.retract {
			return j.newer(i, e.stamp) >= j.kind.keeps
		}
	}
	return false
}

// newer returns how many other items may have been published after the op of
// that index and before the one of the other.
func (j *judge) newer(index, before int) int {
	ids := map[string]bool{}
	for _, o := range j.ops[index+1 : max(index+1, before)] {
		if !o.retract && o.outcome != refused && o.id != j.ops[index].id {
			ids[o.id] = true
		}
	}
	return len(ids)
}
