package faulttest

import "slices"

// checkGaps judges the gaps of absences: they are to be where something was
// missed, once, with the right reason.
func (j *judge) checkGaps() {
	for _, a := range j.absences {
		reasons, required, allowed := j.gapsOf(a)
		switch {
		case required && len(a.gaps) == 0:
			j.fault(missingGap, "none for %s", j.describe(a))
		case !allowed && len(a.gaps) > 0:
			j.fault(superfluousGap, "%q for %s, where nothing was missed", a.gaps, j.describe(a))
		case len(a.gaps) > 1:
			j.fault(superfluousGap, "%q for %s, one would do", a.gaps, j.describe(a))
		}
		for _, reason := range a.gaps {
			if allowed && !slices.Contains(reasons, reason) {
				j.fault(wrongGap, "%q for %s, want one of %q", reason, j.describe(a), reasons)
			}
		}
	}
}

// gapsOf tells which gap an absence may have, and whether it must or may have
// one.
func (j *judge) gapsOf(a *absence) (reasons []string, required, allowed bool) {
	reasons = []string{"expired"}
	if a.cross {
		// A process that has not followed cannot tell what was retained once
		// from what never was.
		reasons = append(reasons, "unknown-id")
	}
	required = a.evicted > 0
	allowed = required || a.missed > 0 || j.adrift(a) || j.vague()
	if a.cross && j.newest(a) < 0 && (j.kind.keeps > 0 || j.kind.mute) {
		// Who comes from "nothing there" gets all that there is. That there was
		// more before it, another process cannot know.
		required, allowed = false, true
	}
	if j.kind.keeps > 0 {
		return reasons, required, allowed
	}
	if !a.cross {
		reasons = nil
	}
	reasons = append(reasons, "not-retained")
	if j.kind.mute {
		reasons = append(reasons, "purged", "expired")
	}
	// A process that has seen the event itself can go on after it.
	return reasons, required || !a.cross, true
}

// newest returns the newest item that was seen before the absence, or -1.
func (j *judge) newest(a *absence) int {
	i := min(a.from, len(j.ops)) - 1
	for i >= 0 && (j.ops[i].retract || j.times[i] == 0) {
		i--
	}
	return i
}

// adrift tells whether the newest item that was seen before the absence was no
// longer retained after it. Then nobody can know whether anything came between
// it and what is retained.
func (j *judge) adrift(a *absence) bool {
	i := j.newest(a)
	return i >= 0 && (j.outdated(i, a) || j.forgotten(i, a))
}

func (j *judge) describe(a *absence) string {
	what := "the absence of the gateway"
	if a.cross {
		what = "the way to another process"
	}
	if a.from >= len(j.ops) || a.from >= a.to {
		return what + " after " + j.name(min(a.from, len(j.ops))-1) + ": " + j.around(a.entry)
	}
	return what + " from " + j.name(a.from) + " to " + j.name(a.to-1) + ": " + j.around(a.entry)
}
