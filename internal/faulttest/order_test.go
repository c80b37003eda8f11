package faulttest

import (
	"fmt"
	"strings"
)

// vague tells whether a process cannot know what another one did: a service
// that keeps overwritten items in their old places does not show which were
// overwritten while nobody looked. There, what was overwritten may come twice,
// or not at all, or in another order.
func (j *judge) vague() bool { return j.kind.overwrites && j.kind.inPlace && j.crossed() }

// checkOrder finds what came twice, and what came before something older.
func (j *judge) checkOrder() {
	last := -1
	newest := map[string]int{} // op by item, where the service has an order of its own
	times := map[int]int{}
	for i, e := range j.entries {
		at := j.index[i]
		if at < 0 {
			continue
		}
		times[at]++
		away := j.excusing(at, always) != nil
		switch {
		case times[at] > 1:
			j.again(at, i)
		case j.vague():
		case e.what == retract && away:
			// Found by comparing what is there with what was: in no order.
		case j.kind.overwrites && j.kind.inPlace && away:
			if at < newest[e.id] {
				j.fault(disorder, "%s came after %s: %s", j.name(at), j.name(newest[e.id]), j.around(i))
			}
			newest[e.id] = at
		case at < last:
			j.fault(disorder, "%s came after %s: %s", j.name(at), j.name(last), j.around(i))
		default:
			last, newest[e.id] = at, at
		}
	}
}

// again judges an op that was seen already. Another process cannot know which
// retracts a stream has seen.
func (j *judge) again(index, entry int) {
	if j.vague() || j.ops[index].retract && j.crossed() {
		return
	}
	j.fault(doubled, "%s came again: %s", j.name(index), j.around(entry))
}

// checkCount judges what cannot be told apart, by how much there is of it.
func (j *judge) checkCount() {
	var sure, possible, got, away int
	for _, o := range j.ops {
		switch o.outcome {
		case done:
			sure++
			possible++
		case unsure:
			possible++
		}
	}
	for _, n := range j.times {
		got += n
	}
	for _, a := range j.absences {
		away += max(0, a.to-a.from)
		if a.cross {
			possible++ // the last one may come again from who has seen it once only
		}
	}
	if got > possible {
		j.fault(doubled, "%d events of %d that were published", got, possible)
	}
	if got < sure-away {
		j.fault(lost, "%d events of %d that were acknowledged, of which %d at most could be missed: %s", got, sure, away, j.stretches())
	}
}

// stretches tells how many events came between the absences.
func (j *judge) stretches() string {
	var text strings.Builder
	entry, from := 0, 0
	for _, a := range append(j.absences, &absence{entry: len(j.entries), from: len(j.ops)}) {
		n := 0
		for i := entry; i < a.entry; i++ {
			if j.entries[i].what == item {
				n++
			}
		}
		fmt.Fprintf(&text, "%d for ops %d to %d; ", n, from, a.from-1)
		entry, from = a.end, a.to
	}
	return text.String()
}
