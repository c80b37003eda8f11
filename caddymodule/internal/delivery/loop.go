package delivery

import (
	"sync"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

const (
	// slice is how many streams of a section, how many that have more to write,
	// and how many that have room again are served before the loop looks what
	// else there is to do.
	slice = 128
	// maxTick is how often a loop looks at what depends on time, at least.
	maxTick = time.Second
)

// A loop serves the streams that are on it, one after the other.
type loop struct {
	engine  *Engine
	woken   chan struct{}
	stopped chan struct{}
	poller  *poller // nil if connections cannot be taken over

	mu sync.Mutex // guards inbox
	inbox

	// Owned by the goroutine of run:
	inbox2  inbox // is what the inbox was, to be worked at
	members []*Member
	free    []int      // slots of members that are empty
	turn    int32      // of the last member that joined
	queue   []*section // whose streams are to be served
	more    []*Member  // which have more to write, though nothing happens
	events  []readiness
	joiner  eventstream.Joiner
	ticker  *time.Ticker
	tick    time.Duration // 0 if there are no members
	now     time.Duration // by the clock, when the round began

	begun, begunBefore int // streams since memory was given back; until the last tick
}

// An inbox is what others want of a loop.
type inbox struct {
	calls   []call
	told    []*section
	ready   []readiness
	reviews []chan<- struct{} // each gets one
}

// A call is something that is to be done with a member.
type call struct {
	member *Member
	do     func(*loop, *Member)
}

func newLoop(e *Engine) *loop {
	l := &loop{engine: e, woken: make(chan struct{}, 1), stopped: make(chan struct{}), ticker: time.NewTicker(maxTick)}
	l.ticker.Stop()
	return l
}

// begin starts the goroutines of the loop.
func (l *loop) begin() {
	if p, err := newPoller(); err == nil {
		l.poller = p
		l.engine.running.Go(func() { p.run(l.isReady) })
	}
	l.engine.running.Go(l.run)
}

// end has them end.
func (l *loop) end() {
	close(l.stopped)
	if l.poller != nil {
		l.poller.close()
	}
}

func (l *loop) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// post has the loop make a call, at once or with the next tick at the latest.
func (l *loop) post(c call, atOnce bool) {
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	if atOnce {
		l.wake()
	}
}

// tell has the loop go through the section.
func (l *loop) tell(s *section) {
	l.mu.Lock()
	l.told = append(l.told, s)
	l.mu.Unlock()
	l.wake()
}

// isReady tells the loop what happened to its connections.
func (l *loop) isReady(ready []readiness) {
	l.mu.Lock()
	l.ready = append(l.ready, ready...)
	l.mu.Unlock()
	l.wake()
}

// review has the loop look at all members, and send when it has.
func (l *loop) review(done chan<- struct{}) {
	l.mu.Lock()
	l.reviews = append(l.reviews, done)
	l.mu.Unlock()
	l.wake()
}

// run serves the streams until the loop is to end.
func (l *loop) run() {
	defer l.ticker.Stop()
	for {
		select {
		case <-l.woken:
		case <-l.ticker.C:
			l.lookAtAll()
		case <-l.stopped:
			return
		}
		for l.round() {
			select {
			case <-l.ticker.C:
				l.lookAtAll()
			default:
			}
		}
		l.joiner.Forget()
	}
}

// round does some of what there is to do, and reports whether there is more.
func (l *loop) round() bool {
	l.now = clock()
	l.receive()
	if len(l.queue) > 0 {
		s := pop(&l.queue)
		if l.pass(s) {
			l.queue = append(l.queue, s)
		} else {
			s.queued = false
		}
	}
	for range min(slice, len(l.more)) {
		m := pop(&l.more)
		m.inMore = false
		l.serve(m)
	}
	for range min(slice, len(l.events)) {
		l.onReady(pop(&l.events))
	}
	return len(l.queue)+len(l.more)+len(l.events) > 0
}

// pop takes the first of a queue.
func pop[T any](queue *[]T) T {
	var zero T
	first := (*queue)[0]
	(*queue)[0] = zero // the array outlives the slice
	*queue = (*queue)[1:]
	return first
}

// receive does what came in, or queues it.
func (l *loop) receive() {
	l.mu.Lock()
	l.inbox, l.inbox2 = l.inbox2, l.inbox
	l.mu.Unlock()
	in := &l.inbox2
	for _, c := range in.calls {
		l.safely(c.member, c.do)
	}
	for _, s := range in.told {
		s.again = s.left > 0
		if !s.queued {
			s.queued = true
			l.queue = append(l.queue, s)
		}
	}
	l.events = append(l.events, in.ready...)
	if len(in.reviews) > 0 {
		l.lookAtAll()
	}
	for _, done := range in.reviews {
		done <- struct{}{} // there is room
	}
	in.clear()
}

// clear empties the inbox, and keeps its memory.
func (in *inbox) clear() {
	clear(in.calls)
	clear(in.told)
	in.calls, in.told, in.ready, in.reviews = in.calls[:0], in.told[:0], in.ready[:0], nil
}

// pass serves a slice of a section, and reports whether that has to go on.
func (l *loop) pass(s *section) bool {
	if s.left == 0 {
		s.told.Store(false) // what comes from now on is not in this pass
		s.left = len(s.seats)
	}
	for n := 0; n < slice && s.left > 0; n++ {
		s.left--
		l.serve(s.seats[s.left].member)
	}
	if s.left == 0 && s.again {
		s.again = false
		return true
	}
	return s.left > 0
}

// serve has a stream write what is new.
func (l *loop) serve(m *Member) {
	defer l.rescue(m)
	switch {
	case m.gone:
	case !m.taken:
		m.wake()
	default:
		l.feed(m)
	}
}

// join adds a member.
func (l *loop) join(m *Member) {
	for i := range m.seats {
		m.seats[i].section.add(&m.seats[i])
	}
	if n := len(l.free); n > 0 {
		m.slot, l.free = l.free[n-1], l.free[:n-1]
		l.members[m.slot] = m
	} else {
		m.slot = len(l.members)
		l.members = append(l.members, m)
	}
	l.begun++
	l.turn++
	m.turn = l.turn
	l.tickWithin(Slack(m.heartbeat))
	m.wake() // whatever it was told until now was not for its seats
}

// leave removes a member.
func (l *loop) leave(m *Member) {
	m.gone = true
	for i := range m.seats {
		m.seats[i].section.remove(&m.seats[i])
	}
	l.members[m.slot] = nil
	l.free = append(l.free, m.slot)
}
