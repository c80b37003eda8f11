package xmpptest

import (
	"bufio"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// linger is how long an ended session waits for its peer to end it too.
const linger = time.Second

// Session is a client's connection, from when it has bound a resource or
// resumed another session. Its methods may be called concurrently. They do not
// wait for the client.
type Session struct {
	srv      *Server // static
	conn     *conn
	silentAt Stage
	resetAt  Stage
	readDone chan struct{} // closed when the session reads no more
	jid      string        // static once bound or resumed

	management StreamManagement // static

	// Owned by the reading goroutine until the writing one starts, then static:
	rw net.Conn // conn, or TLS over it
	in *bufio.Reader

	// Owned by the reading goroutine:
	dec *xml.Decoder // of the present stream

	mu        sync.Mutex // guards the following fields
	wake      *sync.Cond // on mu: the writing goroutine has something to do
	queue     []string   // to be written
	ended     bool       // nothing is added to queue any more
	budget    int        // bytes to write before the connection is cut, or -1
	available bool       // the client has sent initial presence
	received  []string
	news      chan struct{} // closed and replaced whenever received grows
	ledger    *ledger       // nil unless the client has enabled stream management
	lost      time.Time     // when the connection was lost, if the session hibernates
	heir      *Session      // goes on with this session, which it has resumed; static once set
}

// newSession makes the session of a connection. srv.mu must be held.
func newSession(srv *Server, c *conn) *Session {
	s := &Session{
		srv:      srv,
		conn:     c,
		silentAt: srv.silentAt,
		resetAt:  srv.resetAt,
		readDone: make(chan struct{}),
		rw:       c,
		in:       bufio.NewReader(c),
		budget:   -1,
		news:     make(chan struct{}),

		management: srv.management,
	}
	s.wake = sync.NewCond(&s.mu)
	return s
}

// JID returns the full JID of the session.
func (s *Session) JID() string { return s.jid }

// Send writes raw to the client, whatever it is. It returns net.ErrClosed if
// the session has ended. With stream management it has to be one stanza, or
// none, to be counted right; and the client gets it over the next connection if
// the session can be resumed.
func (s *Session) Send(raw string) error { return s.send(raw) }

// Close ends the stream, and the connection when the client has done the same
// or after a second.
func (s *Session) Close() {
	s.srv.unbind(s)
	s.end("</stream:stream>")
}

// StreamError ends the stream with an error of RFC 6120, section 4.9.3. The
// text may be empty.
func (s *Session) StreamError(condition, text string) {
	s.srv.unbind(s)
	s.end(streamError(condition, text))
}

// SeeOtherHost ends the stream and sends the client to another host (RFC 6120,
// section 4.9.3.19), such as "[::1]:5222".
func (s *Session) SeeOtherHost(host string) {
	s.srv.unbind(s)
	s.end(streamErrorWith("see-other-host", escape(host), ""))
}

// Reset drops the connection with a TCP RST.
func (s *Session) Reset() {
	s.srv.lose(s)
	s.conn.reset()
}

// CutAfter closes the TCP connection without a word when n more bytes, before
// encryption, were written. If n is 0 it does so now.
func (s *Session) CutAfter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget = n
	s.wake.Signal()
}

// Hang makes the server look unreachable: nothing is written any more,
// whatever comes is dropped, and the connection stays open until Server.Close
// or Restart.
// The server itself does not notice, and goes on as if the client was there.
func (s *Session) Hang() { s.conn.hang() }

// StopReading stops reading from the connection, so that the client's writes
// block once the buffers between the two are full. Events are still written.
func (s *Session) StopReading() { s.conn.stopReading() }

// Received returns the stanzas, and elements of stream management, that came
// over the session's connection since it was bound or resumed.
func (s *Session) Received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// WaitReceived waits for a stanza that contains part, and returns it. If it has
// been received already, it returns the first. An element of stream management
// has taken effect by then.
func (s *Session) WaitReceived(ctx context.Context, part string) (string, error) {
	for {
		s.mu.Lock()
		i := slices.IndexFunc(s.received, func(st string) bool { return strings.Contains(st, part) })
		if i >= 0 {
			defer s.mu.Unlock()
			return s.received[i], nil
		}
		news := s.news
		s.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return "", fmt.Errorf("no stanza with %q: %w", part, ctx.Err())
		}
	}
}

func (s *Session) isAvailable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.available
}
