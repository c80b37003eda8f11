package delivery

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// An Engine keeps streams going. Its methods may be called from any goroutine.
type Engine struct {
	loops   []*loop
	begin   func() // starts the loops, at the first call
	running sync.WaitGroup
	next    atomic.Uint32 // the loop that the next audience prefers
	tidied  atomic.Int64  // when memory was given back last, by the clock
}

// New returns an engine. It starts nothing before the first stream joins.
func New() *Engine {
	e := &Engine{loops: make([]*loop, runtime.GOMAXPROCS(0))}
	for i := range e.loops {
		e.loops[i] = newLoop(e)
	}
	e.begin = sync.OnceFunc(func() {
		for _, l := range e.loops {
			l.begin()
		}
	})
	return e
}

// Close ends the loops and waits until they have ended. All streams must have
// left.
func (e *Engine) Close() {
	e.begin() // or never
	for _, l := range e.loops {
		l.end()
	}
	e.running.Wait()
}

// Review has all streams asked at once whether they are over. Otherwise they
// are asked about every second. It returns when those that were taken over have
// been, or after the time given.
func (e *Engine) Review(patience time.Duration) {
	e.begin()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for _, l := range e.loops {
		reviewed := l.review()
		select {
		case <-reviewed:
		case <-timeout.C:
			return
		}
	}
}

// Join makes m, which must be a new one, the member of a stream, which hears what
// is told to the audiences. It has a goroutine of its own, which has to call
// [Member.Leave] or [Member.Take]. The heartbeat is for how long it may be
// silent.
func (e *Engine) Join(m *Member, s Stream, heartbeat time.Duration, audiences ...*Audience) {
	e.begin()
	first := audiences[0]
	m.stream, m.heartbeat, m.woken = s, heartbeat, make(chan struct{}, 1)
	i := first.home + int(first.streams.Load()/together)
	m.loop = e.loops[i%len(e.loops)]
	m.seats = m.one[:0]
	for _, a := range audiences {
		a.streams.Add(1)
		section := &a.sections[i%len(e.loops)]
		section.streams.Add(1)
		m.seats = append(m.seats, seat{member: m, section: section})
	}
	m.loop.post(call{m, (*loop).join}, false)
}

// together is how many streams of a source are on one loop before the next is
// used: to go through so few is less work than to wake another loop.
const together = 32
