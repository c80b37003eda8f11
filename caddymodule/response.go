package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// decideFor is how long a stream waits to be told whether the node can be shown,
// which is longer than the service has to answer. Then it is held open as when
// there is no link.
const decideFor = 15 * time.Second

// A response is a stream as long as the goroutine that serves its request writes
// it: until it has caught up, or to its end if the connection cannot be taken
// over.
type response struct {
	*stream
	w           http.ResponseWriter
	r           *http.Request
	rc          *http.ResponseController
	gone        <-chan struct{} // closed when the client is
	several     bool            // the request names nodes by its query
	lastEventID string

	refused  *node     // the one that the error of admit is about
	patience time.Time // when wait has waited enough; zero is never
	began    bool      // the head is written, and the client is kept from giving up
	wrote    time.Time // when something was last
	buffered bool      // something was that is not flushed yet
	more     bool      // there may be more to write at once
	tried    bool      // to take the connection over
	taken    bool      // that was done
	reason   error     // why it ended
}

// respond makes the response to a request for nodes. The account must be held,
// which the response undoes when it is closed.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, ids []xmppclient.Node, several bool) (*response, error) {
	s := &stream{handler: h, openOnly: len(h.allowed) == 0, opened: time.Now(), w: innermost(w)}
	s.client, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	s.feeds = s.one[:0]
	audiences := make([]*delivery.Audience, 0, 1)
	for _, id := range ids {
		n, err := h.account.join(id, h.Limits.Nodes)
		if err != nil {
			s.leaveAll()
			return nil, err
		}
		s.feeds = append(s.feeds, feed{node: n})
		audiences = append(audiences, n.audience)
	}
	h.account.engine.Join(&s.member, s, time.Duration(h.Heartbeat), audiences...)
	return &response{
		stream: s, w: w, r: r, rc: http.NewResponseController(w), gone: r.Context().Done(),
		several: several, lastEventID: lastEventID(r), refused: s.feeds[0].node,
	}, nil
}

// close lets go of everything, unless that is another's now.
func (s *response) close() {
	if s.taken {
		return
	}
	s.setWriter(nil)
	s.member.Leave()
	if s.began {
		s.logEnd(s.reason)
	}
	s.leaveAll()
	s.handler.release()
}

// serve answers the request.
func (s *response) serve() error {
	if isLongPoll(s.r) && s.r.Method != http.MethodHead {
		return s.longPoll()
	}
	held, err := s.start()
	if err != nil || !s.began {
		return err
	}
	s.reason = s.tellStart(held)
	for s.reason == nil && !s.taken {
		// To flush, Caddy and HTTP/2 need most of what a goroutine has on its
		// stack before that is made twice as large. Streams are many: what is
		// ours should not be what is too much, so it is done right here.
		if s.reason = s.flush(); s.reason == nil {
			s.reason = s.goOn()
		}
	}
	return s.end()
}

// start waits until the stream can begin, and writes the head of the response.
// It reports whether it has yet to be seen that the nodes can be shown.
func (s *response) start() (held bool, err error) {
	s.patience = s.opened.Add(decideFor)
	err = s.admit(false)
	switch {
	case err == nil, errors.Is(err, errHeld):
	case s.r.Context().Err() != nil:
		return false, nil // the client is gone
	case errors.Is(err, errExiting), errors.Is(err, errReload):
		panic(http.ErrAbortHandler) // it will find another server, or the next config
	default:
		return false, toHTTP(s.refused.id, err)
	}
	s.head()
	if s.r.Method != http.MethodHead {
		ownDeadlines(s.r)
		s.began, s.patience = true, time.Time{}
	}
	return err != nil, nil
}

// head writes the head of the response.
func (s *response) head() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Incremental", "?1")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // see serve: HTTP/2 does it where the stack is full
	s.w.WriteHeader(http.StatusOK)
}

// tellStart writes what comes before the events that are yet to happen.
func (s *response) tellStart(held bool) error {
	// What comes before the first event has no blank line, which would be an
	// event of its own to some clients.
	err := s.write([]byte(eventstream.Heartbeat + eventstream.Retry(time.Duration(s.handler.Retry))))
	if err == nil && held {
		err = s.write([]byte(eventstream.Comment("waiting for the XMPP server")))
		if err == nil {
			err = s.admit(true)
		}
	}
	if err != nil {
		return err
	}
	starts, err := s.begin()
	if err != nil {
		return err
	}
	return s.tell(starts, true, s.write)
}

// goOn hands the connection over, or waits if there is nothing to write, and
// writes what is new.
func (s *response) goOn() (err error) {
	if s.taken, err = s.takeOver(); s.taken || err != nil {
		return err
	}
	if !s.more {
		err = s.wait(nil)
	}
	if err == nil {
		err = s.writeNext()
	}
	return err
}

// end ends the response.
func (s *response) end() error {
	if s.taken {
		return nil
	}
	if last := s.LastWords(s.reason); !last.IsEmpty() {
		// The stream ends whether or not the client gets this.
		_ = s.write(last.Body())
		_ = s.flush()
	}
	switch {
	case s.r.Context().Err() != nil:
		s.reason = delivery.ErrGone
		return nil
	case errors.Is(s.reason, delivery.ErrEnd):
		// The last event said why, and there is nothing to come back for. A
		// browser forgets what it has not yet handed to the page when a
		// stream is aborted.
		return nil
	}
	panic(http.ErrAbortHandler) // after a clean end, some clients do not come back
}
