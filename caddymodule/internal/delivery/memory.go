package delivery

import (
	"runtime/debug"
	"time"
)

const (
	// many is how many connections were taken over on a loop when there is
	// garbage to speak of.
	many = 250
	// tidyEvery is how long after garbage was collected it is at least until it
	// is again.
	tidyEvery = 10 * time.Second
)

// tidy gives memory back to the system when many connections have been taken
// over and no more come. To accept one takes buffers and a stack that are ten
// times what its stream needs from then on. Left to itself, a process that then
// has little else to do keeps them for minutes.
func (l *loop) tidy() {
	quiet := l.taken == l.takenBefore
	l.takenBefore = l.taken
	if !quiet || l.taken < many {
		return
	}
	l.taken, l.takenBefore = 0, 0
	now := int64(l.now)
	last := l.engine.tidied.Load()
	if (last == 0 || l.now-time.Duration(last) >= tidyEvery) && l.engine.tidied.CompareAndSwap(last, now) {
		l.engine.running.Go(debug.FreeOSMemory)
	}
}
