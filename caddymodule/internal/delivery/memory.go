package delivery

import (
	"runtime/debug"
	"time"
)

const (
	// many is how many streams have begun on a loop when there is garbage to
	// speak of.
	many = 250
	// tidyEvery is how long after garbage was collected it is at least until it
	// is again.
	tidyEvery = 10 * time.Second
)

// tidy gives memory back to the system when many streams have begun and no more
// do. For a stream that is taken over, what it took to accept its connection is
// ten times what it needs from then on. Left to itself, a process that then has
// little else to do keeps that for minutes.
func (l *loop) tidy() {
	quiet := l.begun == l.begunBefore
	l.begunBefore = l.begun
	if !quiet || l.begun < many {
		return
	}
	now := int64(l.now)
	last := l.engine.tidied.Load()
	if (last == 0 || l.now-time.Duration(last) >= tidyEvery) && l.engine.tidied.CompareAndSwap(last, now) {
		l.begun, l.begunBefore = 0, 0
		l.engine.running.Go(debug.FreeOSMemory)
	}
}
