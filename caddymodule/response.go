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
	several     bool // the request names nodes by its query
	lastEventID string

	refused  *node     // the one that the error of admit is about
	patience time.Time // when wait has waited enough; zero is never
	began    bool      // the head is written, and the client is kept from giving up
	wrote    time.Time // when something was last
	buffered bool      // something was that is not flushed yet
	taken    bool      // the connection was taken over
	reason   error     // why it ended
}

// open makes the response to a request for nodes, on which the handler's account
// must be held. It must be closed.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, ids []xmppclient.Node, several bool) (*response, error) {
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
		stream: s, w: w, r: r, rc: http.NewResponseController(w),
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

// serve answers the request with an event stream. It returns an error only if
// nothing was written.
func (s *response) serve() error {
	s.patience = s.opened.Add(decideFor)
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
	ownDeadlines(s.r)
	s.began, s.patience = true, time.Time{}
	s.reason = s.body(err != nil)
	switch {
	case s.taken:
	case s.r.Context().Err() != nil:
		s.reason = delivery.ErrGone
	case errors.Is(s.reason, delivery.End):
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
func (s *response) head() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Incremental", "?1")
	s.w.WriteHeader(http.StatusOK)
}

// body writes the body, until the connection is taken over or there is a reason
// to end, which it returns.
func (s *response) body(held bool) error {
	// What comes before the first event has no blank line, which would be an
	// event of its own to some clients.
	err := s.write([]byte(eventstream.Heartbeat + eventstream.Retry(time.Duration(s.handler.Retry))))
	if err == nil && held {
		err = s.write([]byte(eventstream.Comment("waiting for the XMPP server")))
		if err == nil {
			err = s.admit(true)
		}
	}
	if err == nil {
		err = s.follow()
	}
	if last := s.LastWords(err); !last.IsEmpty() {
		// The stream ends whether or not the client gets this.
		_ = s.write(last.Body())
		_ = s.flush()
	}
	return err
}

// follow writes the nodes' events from where the stream starts.
func (s *response) follow() error {
	starts, err := s.begin()
	if err != nil {
		return err
	}
	if err := s.tell(starts, true, s.write); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if s.taken = s.takeOver(); s.taken {
		return nil
	}
	for {
		more, err := s.writeNext()
		if err == nil && !more {
			err = s.wait(nil)
		}
		if err != nil {
			return err
		}
	}
}
