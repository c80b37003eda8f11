package xmppclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MaxStanza bounds the bytes that one stanza may have: a larger one ends the
// session. The decoder holds a whole text node in memory, several times over.
const MaxStanza = 16 << 20

const (
	// maxUnsent bounds what waits to be written: more means that the server
	// has long stopped reading.
	maxUnsent = 4 << 20
	// writeChunk is written under one deadline. Servers throttle their
	// clients to some kB/s, so a deadline can only be set for a small piece.
	writeChunk   = 16 << 10
	writeTimeout = 20 * time.Second
)

var (
	errStanzaTooLarge = fmt.Errorf("a stanza has more than %d bytes", MaxStanza)
	errServerNotRead  = errors.New("the server does not read what it is sent")
	errLinkClosed     = errors.New("the link is closed")
)

// A link is the connection below a stream. It is what mellium reads from and
// writes to, and differs from a plain connection in what matters to a session
// that must not be held up by anybody:
//
//   - once start was called, Write never waits for the network: a goroutine
//     writes, with a deadline of its own;
//   - nothing is written after the link broke;
//   - a stanza that does not end costs bounded memory;
//   - it knows when the last byte came, and why it ended;
//   - deadlines that others set are ignored: mellium clears the ones that it
//     finds.
type link struct {
	raw  net.Conn
	conn net.Conn // raw, or TLS upon it; changed only before start

	budget atomic.Int64 // bytes that the stanza being read may still have
	heard  atomic.Int64 // when the last byte came, in Unix nanoseconds
	owed   atomic.Int64 // bytes written since

	wake chan struct{} // has one element when unsent grew or the link broke

	mu     sync.Mutex // guards the following fields
	queued bool       // set by start: Write appends to unsent
	unsent []byte
	cause  error // why the link broke; nil as long as it works
}

func newLink(raw net.Conn) *link {
	l := &link{raw: raw, conn: raw, wake: make(chan struct{}, 1)}
	l.nextStanza()
	l.heard.Store(time.Now().UnixNano())
	return l
}

// nextStanza is called when a stanza was read to its end.
func (l *link) nextStanza() { l.budget.Store(MaxStanza) }

// secure makes TLS out of the connection. It blocks for the handshake.
func (l *link) secure(tc *tls.Conn) error {
	if err := tc.Handshake(); err != nil {
		return err
	}
	l.conn = tc
	return nil
}

// ConnectionState is how mellium finds what SCRAM binds to.
func (l *link) ConnectionState() tls.ConnectionState {
	if tc, ok := l.conn.(*tls.Conn); ok {
		return tc.ConnectionState()
	}
	return tls.ConnectionState{}
}

// Read reads from the connection.
func (l *link) Read(p []byte) (int, error) {
	left := l.budget.Load()
	if left <= 0 {
		l.drop(errStanzaTooLarge)
		return 0, errStanzaTooLarge
	}
	n, err := l.conn.Read(p[:min(int64(len(p)), left)])
	if n > 0 {
		l.budget.Add(-int64(n))
		l.heard.Store(time.Now().UnixNano())
		l.owed.Store(0)
		// TLS can tell of the end together with the last bytes, which may say
		// why. An error comes again.
		return n, nil
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			// io.EOF from a token reader means the end of an element, and
			// that of a stream is </stream:stream>.
			err = io.ErrUnexpectedEOF
		}
		l.drop(err)
		err = l.err()
	}
	return n, err
}

// Write takes all of p or nothing, and keeps no reference to it.
func (l *link) Write(p []byte) (int, error) {
	l.mu.Lock()
	if l.cause != nil {
		defer l.mu.Unlock()
		return 0, l.cause
	}
	if !l.queued {
		l.mu.Unlock()
		return len(p), l.writeOut(p)
	}
	full := len(l.unsent)+len(p) > maxUnsent
	if !full {
		l.unsent = append(l.unsent, p...)
	}
	l.mu.Unlock()
	if full {
		return 0, errServerNotRead
	}
	l.signal()
	return len(p), nil
}

// start makes Write return at once from now on.
func (l *link) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued = true
}

// writeLoop writes what Write took, until the link breaks. It belongs to the
// session, which waits for it.
func (l *link) writeLoop() {
	var spare []byte
	for range l.wake {
		l.mu.Lock()
		out, broken := l.unsent, l.cause != nil
		l.unsent = spare[:0]
		l.mu.Unlock()
		if broken || l.writeOut(out) != nil {
			return
		}
		if spare = out; cap(spare) > writeChunk {
			spare = nil
		}
	}
}

// writeOut writes p to the network, piece by piece, and breaks the link if it
// cannot.
func (l *link) writeOut(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), writeChunk)
		// If this fails the connection is gone, and Write will say so.
		_ = l.raw.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := l.conn.Write(p[:n]); err != nil {
			l.drop(err)
			return l.err()
		}
		l.owed.Add(int64(n))
		p = p[n:]
	}
	return nil
}

// drop breaks the link: whoever reads or writes returns. The first cause
// stays. It may be called from anywhere, and more than once.
func (l *link) drop(cause error) {
	l.mu.Lock()
	first := l.cause == nil
	if first {
		l.cause = cause
	}
	l.mu.Unlock()
	if !first {
		return
	}
	// Not that of TLS, which waits for its goodbye to be written.
	_ = l.raw.Close() // there is nobody left to tell
	l.signal()
}

func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// err returns why the link broke, or nil.
func (l *link) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Close breaks the link.
func (l *link) Close() error {
	l.drop(errLinkClosed)
	return nil
}

func (l *link) LocalAddr() net.Addr              { return l.raw.LocalAddr() }
func (l *link) RemoteAddr() net.Addr             { return l.raw.RemoteAddr() }
func (l *link) SetDeadline(time.Time) error      { return nil }
func (l *link) SetReadDeadline(time.Time) error  { return nil }
func (l *link) SetWriteDeadline(time.Time) error { return nil }

var _ net.Conn = (*link)(nil)
