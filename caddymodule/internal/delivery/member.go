package delivery

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// A Stream is what the members of an engine are to their user. None of its
// methods may wait. All are called by the loop.
type Stream interface {
	// Over returns why the stream has to end by now, or nil. It is asked every
	// second, or more often, until it returns an error.
	Over(now time.Time) error

	// Interrupt ends a write that the goroutine of the stream waits in.
	Interrupt()

	// The others are called only of a stream that was taken over.

	// Next returns what has to be written now, if anything, and whether there
	// may be more at once. An error is why the stream ends after that: cleanly
	// if it is [ErrEnd].
	Next(*eventstream.Joiner) (chunk eventstream.Chunk, more bool, err error)

	// LastWords returns what to tell the client if the stream ends for the
	// reason.
	LastWords(reason error) eventstream.Chunk

	// Ended is called last, when the connection was closed, with the reason
	// and the number of bytes that were written since it was taken over.
	Ended(reason error, written int64)
}

// A Member is a stream in the engine. Its methods are for the goroutine of the
// stream. It had better be part of what the stream is: loops go from one to the
// next, and have to fetch from memory what they look at.
type Member struct {
	loop      *loop
	heartbeat time.Duration

	// For the goroutine of the stream, if it has one:
	woken chan struct{}
	due   atomic.Int64 // when to wake it, by the loop's clock; 0 is never
	busy  atomic.Int64 // since when it writes, by the loop's clock; 0 if it does not
	over  atomic.Pointer[error]

	// Owned by the loop, after Join:
	slot   int
	turn   int32 // which member of the slot it is
	inMore bool  // in the loop's list of those that have more to write
	gone   bool
	taken  bool
	ended  int64 // when it was told that it is over
	seats  []seat
	one    [1]seat // of them, for a stream that has one source
	stream Stream
	conn   conn // if it is taken
}

// Woken returns a channel that receives when there may be something new, the
// stream is over, or the time has come that WakeAt was told.
func (m *Member) Woken() <-chan struct{} { return m.woken }

// WakeAt has the goroutine woken at a time, or up to [Slack] later, even if
// nothing happens until then.
func (m *Member) WakeAt(t time.Time) { m.due.Store(int64(t.Sub(epoch))) }

// Over returns why the stream has to end, or nil.
func (m *Member) Over() error {
	if err := m.over.Load(); err != nil {
		return *err
	}
	return nil
}

// BeginWrite is called before what may wait for the client. The stream is
// interrupted if EndWrite is not called in time.
func (m *Member) BeginWrite() { m.busy.Store(int64(clock())) }

// EndWrite is called when what BeginWrite announced is over.
func (m *Member) EndWrite() { m.busy.Store(0) }

// Leave takes the stream out of the engine, which may use it for some time yet.
func (m *Member) Leave() { m.loop.post(call{m, (*loop).leave}, false) }

// CanTake reports whether a connection can be taken over.
func (m *Member) CanTake(c net.Conn) bool { return m.loop.poller != nil && canTake(c) }

// Take hands the stream over to the loop with its connection, for which
// CanTake must have been true, and whose body goes on as chunks. The caller
// must use neither any more.
func (m *Member) Take(c net.Conn) {
	m.loop.post(call{m, func(l *loop, m *Member) { l.take(m, c) }}, true)
}

// wake wakes the goroutine, or sees to it that it does not wait.
func (m *Member) wake() {
	select {
	case m.woken <- struct{}{}:
	default: // it was told
	}
}

// epoch is when the clock of the loops began.
var epoch = time.Now()

func clock() time.Duration { return time.Since(epoch) }

// isTold reports whether the loop will come to the member again anyway.
func (m *Member) isTold() bool {
	for i := range m.seats {
		if m.seats[i].section.told.Load() {
			return true
		}
	}
	return false
}
