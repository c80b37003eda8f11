package faulttest

// An absence is a time when nobody could follow a node live for a stream, until
// the first item after it. What the service did not retain over it may be
// missing.
type absence struct {
	entry    int // where it begins in the record
	end      int // the entry after it
	sent     int // ops that were sent before it
	from, to int // the ops that may have been missed: from <= index < to
	cross    bool
	gaps     []string // the reasons of those that came before the first item

	// What was missed, and is excused:
	missed  int // as there was something newer of the same item
	evicted int // as there were too many newer items
}

// unseen is how many ops may have been acknowledged but not delivered when a
// session is lost. It matters only where ops cannot be told apart.
const unseen = 5

// inFlight tells whether an item may still come from before the absence: it was
// published then, and is of the same process.
func (j *judge) inFlight(a *absence, entry int) bool {
	return !a.cross && !j.kind.repeats && j.index[entry] < a.sent
}

// has tells whether the op of that index may have been missed.
func (a *absence) has(index int) bool { return a.from <= index && index < a.to }

// findAbsences fills in j.absences, and takes the gaps apart into those of an
// absence and others.
func (j *judge) findAbsences() {
	var open *absence
	isBack := false
	last := -1 // the newest op that was seen
	for i, e := range j.entries {
		switch {
		case e.what == left && open == nil:
			open = &absence{entry: i, end: len(j.entries), sent: e.stamp, from: last + 1, to: len(j.ops), cross: e.cross}
			if j.kind.repeats {
				open.from = max(0, e.stamp-unseen)
			}
			j.absences = append(j.absences, open)
			isBack = false
		case e.what == left:
			open.cross = open.cross || e.cross
			isBack = false
		case e.what == back:
			isBack = open != nil
		case e.what == gap && open != nil:
			open.gaps = append(open.gaps, e.reason)
		case e.what == gap:
			j.fault(superfluousGap, "a gap %q after %s, while nothing was away", e.reason, j.name(last))
		case e.what == purge && (open == nil || !j.kind.mute):
			j.fault(foreign, "a purge after %s, and nothing was purged", j.name(last))
		case e.what == item || e.what == retract:
			last = max(last, j.index[i])
			if isBack && e.what == item && !j.inFlight(open, i) {
				open.to, open.end = e.stamp, i
				open, isBack = nil, false
			}
		}
	}
}

// excusing returns the first absence with the op for which ok is true.
func (j *judge) excusing(index int, ok func(*absence) bool) *absence {
	for _, a := range j.absences {
		if a.has(index) && ok(a) {
			return a
		}
	}
	return nil
}

func always(*absence) bool { return true }

// crossed tells whether the stream ever was with more than one process.
func (j *judge) crossed() bool {
	for _, a := range j.absences {
		if a.cross {
			return true
		}
	}
	return false
}
