package caddymodule

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// pollFor is how long a poll waits for an event; clients give up at 50 s.
const pollFor = 25 * time.Second

// longPoll answers the request with what comes next, as a response of known
// length that ends: clients that cannot read a stream ask for it, one poll
// after the other. It returns an error only if nothing was written.
func (s *stream) longPoll() error {
	defer s.waitAtMost(pollFor)()
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
	_, _ = s.w.Write(body) // the client may be gone
	return nil
}

// poll waits for an event and returns all that have come by then.
func (s *stream) poll() ([]byte, error) {
	if err := s.admit(false); err != nil && !errors.Is(err, errHeld) {
		return nil, err
	}
	if err := s.admit(true); err != nil {
		return nil, err
	}
	first, missed, err := s.begin()
	if err != nil {
		return nil, err
	}
	keepsID := strings.Contains(s.r.Header.Get("Accept"), "text/event-stream")
	if keepsID && s.lastEventID == "" {
		return join(first, missed), nil // from here the client can go on
	}
	body := join(missed)
	for len(body) == 0 {
		got, err := s.readNew()
		body = join(got.frames)
		switch {
		case err != nil:
			return nil, err
		case len(body) > 0:
			return body, nil
		case got.over:
			return nil, s.whyOver()
		}
		if err := s.wait(got.changed); err != nil {
			if keepsID {
				// A block that is nothing but an ID moves the client's.
				body = []byte("id: " + s.id() + "\n\n")
			}
			return body, err
		}
	}
	return body, nil
}

// id returns the last event ID of where the stream is.
func (s *stream) id() string {
	f := s.feeds[0]
	id := f.node.events.ID(f.at)
	if s.joint != nil {
		id = s.joint.ID(id)
	}
	return id
}

// whyOver returns why one of the nodes cannot be shown any more.
func (s *stream) whyOver() error {
	if _, err := s.admitOnce(false); err != nil {
		return err
	}
	s.refused = s.feeds[0].node
	return errNotOpen
}

// join returns what the frames are when they are written.
func join(lists ...[]eventstream.Frame) (body []byte) {
	for _, frames := range lists {
		for _, frame := range frames {
			body = append(body, frame...)
		}
	}
	return body
}
