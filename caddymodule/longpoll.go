package caddymodule

import (
	"errors"
	"strconv"
	"strings"
	"time"
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
		return toHTTP(s.node.id, err)
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
	body, found := s.begin()
	keepsID := strings.Contains(s.r.Header.Get("Accept"), "text/event-stream")
	if keepsID && s.lastEventID == "" {
		return body, nil // from here the client can go on
	}
	if found || s.lastEventID == "" {
		body = nil // nothing the client does not know
	}
	for len(body) == 0 {
		got, err := s.read()
		switch {
		case err != nil:
			return nil, err
		case got.denied:
			return nil, errNotOpen
		}
		for _, frame := range got.frames {
			body = append(body, frame...)
		}
		switch {
		case len(body) > 0:
			return body, nil
		case got.over:
			_, err := s.node.admission(s.openOnly)
			return nil, err
		}
		if err := s.wait(got.more, got.changed); err != nil {
			if keepsID {
				// A block that is nothing but an ID moves the client's.
				body = []byte("id: " + s.node.events.ID(s.at) + "\n\n")
			}
			return body, err
		}
	}
	return body, nil
}
