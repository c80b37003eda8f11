package delivery

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

const (
	// patience is how long a test waits for what has to happen.
	patience = 30 * time.Second
	// beat is the heartbeat of most streams: none comes by itself while a test
	// runs.
	beat = time.Minute
)

var errTest = errors.New("the test wants it so")

// wide is more than any test needs that is not about bounds.
var wide = eventstream.Bounds{Events: 1 << 20, Bytes: 1 << 30}

// A stream is one of a log, as the user of an engine has it.
type stream struct {
	member Member
	log    *eventstream.Log
	at     eventstream.Position
	words  string // the last ones

	next   func() error // is called before the log is read, if it is not nil
	last   error        // is returned with what was read, once
	over   atomic.Pointer[func() error]
	reason atomic.Pointer[error]

	reads       atomic.Int64 // how often Next was called
	interrupted chan struct{}
	ended       chan ended
}

// ended is what a stream is told at its end.
type ended struct {
	reason  error
	written int64
}

func newStream(l *eventstream.Log) *stream {
	return &stream{log: l, interrupted: make(chan struct{}, 1), ended: make(chan ended, 8)}
}

func (s *stream) Over(time.Time) error {
	if over := s.over.Load(); over != nil {
		if err := (*over)(); err != nil {
			return err
		}
	}
	if err := s.reason.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *stream) Interrupt() {
	select {
	case s.interrupted <- struct{}{}:
	default:
	}
}

func (s *stream) Next(j *eventstream.Joiner) (eventstream.Chunk, bool, error) {
	s.reads.Add(1)
	if s.next != nil {
		if err := s.next(); err != nil {
			return eventstream.Chunk{}, false, err
		}
	}
	chunk, next, more, over, err := j.Read(s.log, s.at)
	s.at = next
	if over {
		err = ErrEnd
	}
	if s.last != nil {
		err, s.last = s.last, nil
	}
	return chunk, more, err
}

func (s *stream) LastWords(error) eventstream.Chunk { return eventstream.NewChunk([]byte(s.words)) }

func (s *stream) Ended(reason error, written int64) { s.ended <- ended{reason, written} }

// whenAsked has something done whenever the stream is asked whether it is over.
func (s *stream) whenAsked(do func() error) { s.over.Store(&do) }

// end has the stream say that it is over, when it is asked.
func (s *stream) end(reason error) { s.reason.Store(&reason) }

// A rig is an engine and the streams that were on it.
type rig struct {
	*Engine
	mu      sync.Mutex
	streams []*stream // guarded by mu
}

// start returns an engine that runs.
func start(tb testing.TB) *rig {
	r := &rig{Engine: New()}
	tb.Cleanup(func() { r.close(tb) })
	return r
}

// close closes the engine. By then a test has received all ends that it wants.
func (r *rig) close(tb testing.TB) {
	r.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		if n := len(s.ended); n > 0 {
			tb.Errorf("a stream ended %d times more than it should: %v", n, (<-s.ended).reason)
		}
	}
}

// join joins a stream, and returns it.
func (r *rig) join(s *stream, heartbeat time.Duration, audiences ...*Audience) *stream {
	r.mu.Lock()
	r.streams = append(r.streams, s)
	r.mu.Unlock()
	r.Join(&s.member, s, heartbeat, audiences...)
	return s
}

// source returns a log, and who hears of it.
func (r *rig) source(bounds eventstream.Bounds) (*eventstream.Log, *Audience) {
	a := r.NewAudience()
	return eventstream.NewLog("source", bounds, a.Notify), a
}

// A still is an engine with one loop, which does something when the test has it
// do so. The clock goes on as the test wants.
type still struct {
	*rig
	loop *loop
}

func newStill(tb testing.TB) still {
	r := &rig{Engine: New()}
	r.loops = r.loops[:1]
	r.begin = func() {}
	r.begun.Store(true)
	l := r.loops[0]
	if p, err := newPoller(); err == nil {
		l.poller = p
		r.running.Go(func() { p.run(l.isReady) })
	}
	before := epoch
	epoch = epoch.Add(-time.Hour) // the process has been there for some time
	tb.Cleanup(func() {
		r.close(tb)
		epoch = before
	})
	return still{r, l}
}

// work has the loop do all that there is to do.
func (s still) work() {
	for s.loop.round() {
	}
	s.loop.joiner.Forget()
}

// until has the loop work until something is so.
func (s still) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	s.work()
	for deadline := time.After(patience); !is(); s.work() {
		select {
		case <-s.loop.woken:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// passTime makes time pass, after which the loop looks at what depends on it.
func (s still) passTime(d time.Duration) {
	epoch = epoch.Add(-d)
	s.loop.lookAtAll()
	s.work()
}

// put appends the events from..to to a log, each with so many bytes.
func put(l *eventstream.Log, from, to, size int) {
	for i := from; i <= to; i++ {
		l.Append(eventstream.Event{Data: fmt.Sprint(i, " ", size, " ", strings.Repeat("x", size))})
	}
}

// receive returns what comes from a channel.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s\n%s", what, debug.Stack())
		panic("not reached")
	}
}

// wantEnd wants a stream to end for a reason, and returns how much was written.
func wantEnd(t *testing.T, s *stream, reason error) int64 {
	t.Helper()
	e := receive(t, s.ended, "the end of a stream")
	if !errors.Is(e.reason, reason) {
		t.Errorf("it ended: %v, want %v", e.reason, reason)
	}
	return e.written
}

// wantStreams wants an audience to have so many streams.
func wantStreams(t *testing.T, a *Audience, want int) {
	t.Helper()
	sum := 0
	for i := range a.sections {
		if s := a.sections[i].Load(); s != nil {
			sum += int(s.streams.Load())
		}
	}
	if got := int(a.streams.Load()); got != want || sum != want {
		t.Errorf("the audience has %d streams, its sections %d; want %d", got, sum, want)
	}
}
