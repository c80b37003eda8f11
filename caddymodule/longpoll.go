package caddymodule

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// pollFor is how long a poll waits for an event; clients give up at 50 s.
const pollFor = 25 * time.Second

// longPoll answers the request with what comes next, as a response of known
// length that ends: clients that cannot read a stream ask for it, one poll
// after the other. It returns an error only if nothing was written.
func (s *response) longPoll() error {
	s.patience = s.opened.Add(pollFor)
	body, err := s.poll()
	switch {
	case err == nil, errors.Is(err, errHeld):
	case s.r.Context().Err() != nil:
		return nil // the client is gone
	case errors.Is(err, errExiting), errors.Is(err, errReload):
		// Nothing came; the client asks again.
	default:
		return toHTTP(s.refused.id, err)
	}
	s.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	s.head()
	_ = s.write(body) // the client may be gone
	return nil
}

// poll waits for an event and returns all that have come by then.
func (s *response) poll() (body []byte, err error) {
	if err := s.admit(false); err != nil && !errors.Is(err, errHeld) {
		return nil, err
	}
	if err := s.admit(true); err != nil {
		return nil, err
	}
	starts, err := s.begin()
	if err != nil {
		return nil, err
	}
	keepsID := strings.Contains(s.r.Header.Get("Accept"), "text/event-stream")
	add := func(p []byte) error {
		body = append(body, p...)
		return nil
	}
	// Who is told the place can go on from there.
	if err := s.tell(starts, keepsID && s.lastEventID == "", add); err != nil || len(body) > 0 {
		return body, err
	}
	if body, err = s.awaitNews(); err != nil && keepsID && len(body) == 0 {
		// A block that is nothing but an ID moves the client's.
		body = []byte("id: " + s.id() + "\n\n")
	}
	return body, err
}

// awaitNews waits for events and returns those that come first.
func (s *response) awaitNews() ([]byte, error) {
	var j eventstream.Joiner
	for {
		chunk, _, end := s.Next(&j)
		switch {
		case !chunk.IsEmpty() && chunk.Body()[0] != ':': // not a comment alone
			return chunk.Body(), nil
		case end != nil:
			return nil, s.whyOver(end)
		}
		if err := s.wait(nil); err != nil {
			return nil, err
		}
	}
}

// id returns the last event ID of where the stream is.
func (s *response) id() string {
	f := &s.feeds[0]
	id := f.node.events.ID(f.at)
	if s.joint != nil {
		id = s.joint.ID(id)
	}
	return id
}

// whyOver returns why there will be no more events, if it is that one of the
// nodes cannot be shown any more.
func (s *response) whyOver(end error) error {
	if !errors.Is(end, delivery.ErrEnd) {
		return end
	}
	if _, err := s.admitOnce(false); err != nil {
		return err
	}
	s.refused = s.feeds[0].node
	return errNotOpen
}
