package caddymodule

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

const (
	// reloadFor is within what time the streams of a config that is gone end,
	// give or take a second at both ends.
	reloadFor = 7500 * time.Millisecond
	// exitRetry is added at random to the reconnection time when the process
	// exits, so that not all come back at once.
	exitRetry = 5 * time.Second
)

// Why streams have to end.
var (
	errExiting = errors.New("the process exits")
	errReload  = errors.New("the config was replaced")
)

// A stream is the events of its nodes as one client gets them. It belongs to the
// goroutine that serves the request, until the connection is taken over; then
// it belongs to the loop that writes to it.
type stream struct {
	member   delivery.Member
	feeds    []feed
	one      [1]feed            // of them, if there is one
	joint    *eventstream.Joint // of their events; nil if the request does not name several
	turn     int                // the feed that is read first, if there are several
	openOnly bool               // only nodes whose access model is open may be shown
	link     xmppclient.Link    // as the client knows it

	handler *Handler
	client  string // its address
	opened  time.Time
	bytes   int64 // written by the goroutine

	endAt time.Time // when it ends because the config is gone; owned by the loop

	mu sync.Mutex          // guards the following field
	w  http.ResponseWriter // net/http's own; nil if it is not to be used any more
}

// Over returns why the stream has to end, if it has to by now.
func (s *stream) Over(now time.Time) error {
	switch {
	case caddy.Exiting():
		return errExiting
	case !s.handler.app.ended.Load():
		return nil
	case s.endAt.IsZero():
		s.endAt = now.Add(rand.N(reloadFor))
		return nil
	case now.Before(s.endAt):
		return nil
	}
	return errReload
}

// Interrupt ends a write that waits for a client that does not read. It uses
// net/http's own writer, on which one goroutine may set deadlines while another
// writes; the writers that Caddy puts around it are not made for that.
func (s *stream) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		_ = http.NewResponseController(s.w).SetWriteDeadline(time.Unix(1, 0)) // where there are none, the server's own bounds hold
	}
}

// setWriter sets what Interrupt is to use.
func (s *stream) setWriter(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = w
}

// LastWords returns what the client has to know because the stream ends.
func (s *stream) LastWords(reason error) eventstream.Chunk {
	if !errors.Is(reason, errExiting) {
		return eventstream.Chunk{}
	}
	return eventstream.NewChunk([]byte(eventstream.Retry(time.Duration(s.handler.Retry) + rand.N(exitRetry))))
}

// Ended is called when the connection that was taken over is closed.
func (s *stream) Ended(reason error, written int64) {
	s.bytes += written
	s.logEnd(reason)
	s.leaveAll()
	if s.handler.hold.drop() {
		logouts.Go(s.handler.dropAccount) // which takes time, and the loop has none
	}
}

// leaveAll lets go of the nodes.
func (s *stream) leaveAll() {
	for i := range s.feeds {
		s.handler.account.leave(s.feeds[i].node, time.Duration(s.handler.Linger))
	}
}

// logEnd logs that the stream ended.
func (s *stream) logEnd(reason error) {
	if entry := s.handler.log.Check(zap.DebugLevel, "stream ended"); entry != nil {
		entry.Write(
			zap.Stringer("node", s.feeds[0].node.id), zap.Int("nodes", len(s.feeds)), zap.String("client_ip", s.client),
			zap.Duration("duration", time.Since(s.opened)), zap.Int64("bytes", s.bytes), zap.NamedError("reason", reason))
	}
	var p *delivery.PanicError
	if errors.As(reason, &p) {
		s.handler.log.Error("a stream ended by a panic", zap.Any("panic", p.Value), zap.ByteString("stack", p.Stack))
	}
}

// Interface guard
var _ delivery.Stream = (*stream)(nil)
