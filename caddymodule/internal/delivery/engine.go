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
	begun   atomic.Bool
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
		e.begun.Store(true)
	})
	return e
}

// Close ends the loops and waits until they have ended. No stream may join any
// more, and those that were taken over must have ended.
func (e *Engine) Close() {
	if !e.begun.Load() {
		return
	}
	for _, l := range e.loops {
		l.end()
	}
	e.running.Wait()
}

// Review has all streams asked at once whether they are over, instead of within
// about a second. It returns when they have been, and those that were taken
// over have ended, or after the time given.
func (e *Engine) Review(patience time.Duration) {
	if !e.begun.Load() {
		return
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	reviewed := make(chan struct{}, len(e.loops))
	for _, l := range e.loops {
		l.review(reviewed)
	}
	for range e.loops {
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
	i := (first.home + int(first.streams.Load()/together)) % len(e.loops)
	m.loop = e.loops[i]
	m.seats = m.one[:0]
	for _, a := range audiences {
		m.seats = append(m.seats, seat{member: m, section: a.section(m.loop, i)})
	}
	m.loop.post(call{m, (*loop).join}, true)
}

// together is how many streams of a source are on one loop before the next is
// used: to go through so few is less work than to wake another loop.
const together = 32
