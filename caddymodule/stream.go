package caddymodule

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

const (
	// decideFor is how long a stream waits to be told whether the node can be
	// shown, which is longer than the service has to answer. Then it is held
	// open as when there is no link.
	decideFor = 15 * time.Second
	// exitRetry is added at random to the reconnection time when the process
	// exits, so that not all come back at once.
	exitRetry = 5 * time.Second
)

// Why a stream ends, or does not begin.
var (
	errHeld = errors.New("it cannot be said yet whether the node can be shown")
	errOver = errors.New("there will be no more events")
)

// A stream is one response that is open. It belongs to the goroutine that
// serves the request.
type stream struct {
	handler     *Handler
	feeds       []*feed
	joint       *eventstream.Joint // of their events; nil if the stream has one node
	w           http.ResponseWriter
	r           *http.Request
	rc          *http.ResponseController
	openOnly    bool // only nodes whose access model is open may be shown
	several     bool // the request names nodes by its query
	lastEventID string

	refused *node           // the one that the error of admit is about
	link    xmppclient.Link // as the client knows it

	beat     *time.Ticker    // nil until something may be written
	patience <-chan struct{} // closed when wait has waited enough in all; nil is for ever
	over     context.Context // ends when the stream has to, with the reason
}

// serve answers the request with an event stream. It returns an error only if
// nothing was written.
func (s *stream) serve() error {
	defer s.waitAtMost(decideFor)()
	err := s.admit(false)
	switch {
	case err == nil, errors.Is(err, errHeld):
	case s.r.Context().Err() != nil:
		return nil // the client is gone
	case errors.Is(err, errExiting), errors.Is(err, errReload):
		panic(http.ErrAbortHandler) // it will find another server, or the next config
	default:
		return toHTTP(s.refused.id, err)
	}
	s.head()
	if s.r.Method == http.MethodHead {
		return nil
	}
	end := s.stream(err != nil)
	s.handler.log.Debug("stream ended", zap.Stringer("node", s.feeds[0].node.id), zap.Int("nodes", len(s.feeds)), zap.Error(end))
	switch {
	case s.r.Context().Err() != nil: // the client is gone
	case errors.Is(end, errOver):
		// The last event said why, and there is nothing to come back for. A
		// browser forgets what it has not yet handed to the page when a
		// stream is aborted.
	default:
		// After a clean end, some clients do not come back.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// head writes the head of the response.
func (s *stream) head() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Incremental", "?1")
	s.w.WriteHeader(http.StatusOK)
}

// stream writes the body, until there is a reason to end, which it returns.
func (s *stream) stream(held bool) error {
	s.beat = time.NewTicker(time.Duration(s.handler.Heartbeat))
	defer s.beat.Stop()
	s.patience = nil
	// What comes before the first event has no blank line, which would be an
	// event of its own to some clients.
	retry := time.Duration(s.handler.Retry)
	err := s.write([]byte(eventstream.Heartbeat + eventstream.Retry(retry)))
	if err == nil && held {
		err = s.write([]byte(eventstream.Comment("waiting for the XMPP server")))
		if err == nil {
			err = s.admit(true)
		}
	}
	if err == nil {
		err = s.follow()
	}
	if errors.Is(err, errExiting) {
		// The stream ends whether or not the client gets this.
		_ = s.write([]byte(eventstream.Retry(retry + rand.N(exitRetry))))
	}
	return err
}

// admit waits until all nodes can be shown. A stream that is held open waits for
// all that may yet change; any other returns errHeld if that would be long.
func (s *stream) admit(held bool) error {
	for {
		pending, err := s.admitOnce(held)
		if len(pending) == 0 || err != nil && !mayChange(err) {
			return err
		}
		if err := s.wait(pending); err != nil {
			return err
		}
	}
}

// admitOnce returns channels that are closed when something may have changed for
// the nodes that cannot be shown yet, or why the stream cannot begin. Refusals
// come before what may yet change.
func (s *stream) admitOnce(held bool) (pending []<-chan struct{}, err error) {
	for _, f := range s.feeds {
		changed, failed := f.node.admission(s.openOnly)
		switch {
		case failed == nil:
		case errors.Is(failed, errPending), held && mayChange(failed):
			pending = append(pending, changed)
		case err == nil || mayChange(err) && !mayChange(failed):
			s.refused, err = f.node, failed
		}
	}
	return pending, err
}

// mayChange reports whether a stream that is open had better wait than end with
// err: its client might not come back.
func mayChange(err error) bool {
	return errors.Is(err, errHeld) || errors.Is(err, xmppclient.ErrRejected) || xmppclient.Temporary(err)
}
