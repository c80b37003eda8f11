package faulttest

// checkLost finds what did not come, and should have.
func (j *judge) checkLost() {
	for i, o := range j.ops {
		if o.outcome != done || j.times[i] > 0 {
			continue
		}
		if o.retract {
			j.checkRetract(i)
		} else {
			j.checkItem(i)
		}
	}
}

// checkItem judges that an item did not come. It is excused if the service had
// forgotten it by the time that somebody could ask.
func (j *judge) checkItem(i int) {
	switch {
	case j.excusing(i, func(a *absence) bool { return j.outdated(i, a) }) != nil:
		j.excusing(i, func(a *absence) bool { return j.outdated(i, a) }).missed++
	case j.vague() && j.excusing(i, always) != nil:
	case j.excusing(i, func(a *absence) bool { return j.forgotten(i, a) }) != nil:
		j.excusing(i, func(a *absence) bool { return j.forgotten(i, a) }).evicted++
	case j.excusing(i, always) != nil:
		j.fault(lost, "%s, which was published during an absence and was retained after it; the newest before is %s", j.name(i), j.name(j.before(i)))
	default:
		j.fault(lost, "%s, while nothing was away; the newest before is %s", j.name(i), j.name(j.before(i)))
	}
}

// before returns the newest op before that one which was seen, or -1.
func (j *judge) before(i int) int {
	for i--; i >= 0 && j.times[i] == 0; i-- {
	}
	return i
}

// outdated tells whether the item was published anew or retracted before the
// absence had ended.
func (j *judge) outdated(i int, a *absence) bool {
	for at := i + 1; at < min(a.to, len(j.ops)); at++ {
		o := j.ops[at]
		if o.id == j.ops[i].id && (o.outcome == done || j.times[at] > 0) {
			return true
		}
	}
	return false
}

// forgotten tells whether the service did not retain the item until the absence
// had ended, for it retains too few.
func (j *judge) forgotten(i int, a *absence) bool { return j.newer(i, a.to) >= j.kind.keeps }

// checkRetract judges that a retract did not come. It is excused if the stream
// never had the item, if it was told that it may have missed something, and if
// it came to a process that had never seen the item.
func (j *judge) checkRetract(i int) {
	had := false
	for at, o := range j.ops[:i] {
		had = had || o.id == j.ops[i].id && j.times[at] > 0
	}
	excused := j.excusing(i, func(a *absence) bool { return a.cross || len(a.gaps) > 0 || !had })
	if excused == nil {
		j.fault(unretracted, "%s; the newest before is %s", j.name(i), j.name(j.before(i)))
	}
}
