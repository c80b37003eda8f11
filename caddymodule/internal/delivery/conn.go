package delivery

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// Why streams end that were taken over.
var (
	// ErrEnd means that there will be no more; the body is finished, where in all
	// other cases it is broken off.
	ErrEnd = errors.New("there will be no more events")
	// ErrGone means that the client closed the connection.
	ErrGone = errors.New("the client went away")
	// ErrSlow means that the client did not read what was written.
	ErrSlow = errors.New("the client does not read")
)

// A conn is a connection that was taken over. It belongs to the loop.
type conn struct {
	socket
	written int64
	since   time.Duration // when all was written, or so much of what was not: by the clock
	before  int64         // what was written then
	rest    []byte        // what has yet to be written; nil if nothing has
	reason  error         // to end when that is written
}

// heartbeat is a chunk that says nothing.
var heartbeat = eventstream.NewChunk([]byte(eventstream.Heartbeat))

// take makes the loop write what is new to a member.
func (l *loop) take(m *Member, c net.Conn) {
	m.taken, m.woken = true, nil
	m.conn.since = l.now
	err := m.conn.open(c, l.poller, token{slot: int32(m.slot), turn: m.turn})
	switch {
	case err != nil:
		l.finish(m, err)
	case m.ended != 0:
		l.endConn(m, m.Over())
	default:
		l.feed(m)
	}
}

// feed writes what is new to a stream, unless its connection is full.
func (l *loop) feed(m *Member) {
	if m.conn.rest != nil {
		return
	}
	chunk, more, err := m.stream.Next(&l.joiner)
	if !chunk.IsEmpty() {
		l.send(m, chunk)
	}
	switch {
	case m.gone:
	case err != nil:
		l.endAfter(m, err)
	case more && m.conn.rest == nil && !m.inMore && !m.isTold():
		m.inMore = true
		l.more = append(l.more, m)
	}
}

// send writes a chunk, and keeps what the connection does not take. Nothing of
// what was sent before may be left.
func (l *loop) send(m *Member, chunk eventstream.Chunk) {
	c := &m.conn
	p := chunk.Framed()
	n, err := c.write(p)
	l.wrote(m, n)
	switch {
	case err != nil:
		l.finish(m, err)
	case n < len(p):
		c.rest = chunk.Rest(n)
		l.await(m)
	}
}

// wrote notes that the client takes what it is sent.
func (l *loop) wrote(m *Member, n int) {
	c := &m.conn
	c.written += int64(n)
	if c.rest == nil || c.written-c.before >= enough {
		c.since, c.before = l.now, c.written
	}
}

// await parks a connection until there is room again.
func (l *loop) await(m *Member) {
	if err := m.conn.await(l.poller, token{slot: int32(m.slot), turn: m.turn}); err != nil {
		l.finish(m, err)
	}
}

// resume goes on with a connection that has room again.
func (l *loop) resume(m *Member) {
	c := &m.conn
	if c.rest == nil {
		return
	}
	n, err := c.write(c.rest)
	l.wrote(m, n)
	switch c.rest = c.rest[n:]; {
	case err != nil:
		l.finish(m, err)
	case len(c.rest) > 0:
		l.await(m)
	default:
		c.rest, c.since, c.before = nil, l.now, c.written
		if c.reason != nil {
			l.finish(m, c.reason)
		} else {
			l.feed(m)
		}
	}
}

// endConn ends a stream for the reason, and tells the client if that is possible
// at once.
func (l *loop) endConn(m *Member, reason error) {
	if m.conn.rest == nil {
		if chunk := m.stream.LastWords(reason); !chunk.IsEmpty() {
			l.send(m, chunk)
		}
	}
	switch {
	case m.gone:
	case errors.Is(reason, ErrEnd):
		l.endAfter(m, reason)
	default:
		l.finish(m, reason)
	}
}

// endAfter ends a stream when all has been written.
func (l *loop) endAfter(m *Member, reason error) {
	c := &m.conn
	c.reason = reason
	if errors.Is(reason, ErrEnd) {
		if c.rest == nil {
			l.send(m, eventstream.LastChunk)
		} else {
			c.rest = append(slices.Clone(c.rest), eventstream.LastChunk.Framed()...)
		}
	}
	if !m.gone && c.rest == nil {
		l.finish(m, reason)
	}
}

// finish closes the connection, and takes the stream out of the engine.
func (l *loop) finish(m *Member, reason error) {
	m.conn.close()
	l.leave(m)
	m.stream.Ended(reason, m.conn.written)
}

// onReady is called when something happened to a connection.
func (l *loop) onReady(r readiness) {
	m := l.members[r.slot]
	switch {
	case m == nil || m.turn != r.turn: // it was another's
	case r.gone:
		l.finish(m, ErrGone)
	default:
		l.safely(m, (*loop).resume)
	}
}

// A PanicError is why a stream ends in whose methods there was a panic.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// safely does something with a member.
func (l *loop) safely(m *Member, do func(*loop, *Member)) {
	defer l.rescue(m)
	do(l, m)
}

// rescue is deferred by what calls a stream: a panic in it costs that stream
// alone. (One in Ended is not survived: that stream has ended.)
func (l *loop) rescue(m *Member) {
	value := recover()
	if value == nil {
		return
	}
	l.joiner.Forget()
	err := &PanicError{Value: value, Stack: debug.Stack()}
	switch {
	case m.gone:
	case m.taken:
		l.finish(m, err)
	default:
		l.over(m, err)
	}
}

// A token names a connection.
type token struct {
	slot int32
	turn int32 // which of the members of the slot it is
}

// A readiness is what happened to a connection.
type readiness struct {
	token
	gone bool // the client closed it, or it broke; else there is room in it
}
