package xmppclient

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	// requestTimeout is how long a service may take to answer. Servers that
	// throttle us answer within, since few requests are under way at a time.
	requestTimeout = 10 * time.Second
	// maxRequests are under way at a time: what a server reads ahead of a
	// request delays its answer.
	maxRequests = 16
)

// A request is an IQ of ours that waits for its reply.
type request struct {
	to     string
	decode func(*reader) error // reads the result, on the reading goroutine; nil: nothing to read
	heard  func(error)         // is called with the outcome there, if it is not nil
	asked  time.Time           // when it was sent
	done   chan error          // has room for one
}

// requests are the IQs of one session that wait for their replies.
type requests struct {
	mu    sync.Mutex // guards the following fields
	open  map[string]*request
	ended bool
}

// newID returns an id for a stanza that nobody can guess.
func newID() string { return rand.Text() }

func (rs *requests) add(id string, rq *request) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if !rs.ended {
		rs.open[id] = rq
	}
	return !rs.ended
}

// take returns and forgets the request that a reply answers: one with its id,
// sent to where the reply comes from (RFC 6120 §8.1.2.1). It returns nil if
// there is none, as when the reply comes too late.
func (rs *requests) take(id, from string) *request {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rq := rs.open[id]
	if rq == nil || !sameJID(rq.to, from) {
		return nil
	}
	delete(rs.open, id)
	return rq
}

// forget gives a request up. It reports false if its reply is being read.
func (rs *requests) forget(id string) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	_, open := rs.open[id]
	delete(rs.open, id)
	return open
}

// end fails all requests, those to come included.
func (rs *requests) end() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.ended = true
	for _, rq := range rs.open {
		rq.done <- ErrDisconnected
	}
	clear(rs.open)
}

// sameJID compares JIDs in whatever way they are spelled.
func sameJID(a, b string) bool {
	if a == b {
		return true
	}
	ja, errA := jid.Parse(a)
	jb, errB := jid.Parse(b)
	return errA == nil && errB == nil && ja.Equal(jb)
}

// request sends an IQ of the type ("get" or "set") to a service and waits for
// the reply. decode, which may be nil, is called with a result's inside open, on
// the goroutine that reads the stream. Unless request returns nil it may do so
// later still: the caller must not look at what decode writes. request itself
// must not be called on that goroutine.
func (s *session) request(ctx context.Context, typ, to, payload string, decode func(*reader) error) error {
	return s.do(ctx, typ, payload, &request{to: to, decode: decode})
}

// do makes a request.
func (s *session) do(ctx context.Context, typ, payload string, rq *request) error {
	select {
	case s.client.slots <- struct{}{}:
		defer func() { <-s.client.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	timeout := time.NewTimer(requestTimeout)
	defer timeout.Stop()
	id := newID()
	rq.done, rq.asked = make(chan error, 1), time.Now()
	if !s.requests.add(id, rq) {
		return ErrDisconnected
	}
	if err := s.send(typ, id, rq.to, payload); err != nil {
		s.requests.forget(id)
		return err
	}
	for {
		select {
		case err := <-rq.done:
			return err
		case <-ctx.Done():
			s.requests.forget(id)
			return context.Cause(ctx)
		case <-timeout.C:
			if s.requests.forget(id) {
				return ErrTimeout
			} // else the answer has begun, and may be long
		}
	}
}

// send sends an IQ whose reply nobody waits for. One that a server would end the
// stream for is answered here.
func (s *session) send(typ, id, to, payload string) error {
	if !isXML(to) || !isXML(payload) {
		return &Error{Type: "cancel", Condition: "item-not-found", Text: "XML has no such characters"}
	}
	if _, err := s.link.Write([]byte("<iq type='" + typ + "' id='" + id + "' to='" + escape(to) + "'>" + payload + "</iq>")); err != nil {
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// pubsub returns a pubsub element with one child, given by its name, its
// attributes and what is in it.
func pubsub(name string, attrs [][2]string, inside string) string {
	b := []byte("<pubsub xmlns='" + nsPubSub + "'><" + name)
	for _, a := range attrs {
		b = append(append(append(b, ' '), a[0]...), "='"...)
		b = append(appendAttr(b, a[1]), '\'')
	}
	return string(b) + ">" + inside + "</" + name + "></pubsub>"
}

// reply reads the result or error that is open in r to its end, and hands it
// to the request that it answers.
func (s *session) reply(r *reader, start xml.StartElement) error {
	id := attr(start, "id")
	if id == s.barrier {
		s.barrier = ""
	}
	rq := s.requests.take(id, attr(start, "from"))
	if rq == nil {
		return s.skipLong(r)
	}
	err := error(ErrDisconnected)
	defer func() { rq.done <- err }()
	outcome, broken := rq.read(r, start)
	if broken != nil {
		return broken
	}
	err = outcome // also if heard panics
	if rq.heard != nil {
		rq.heard(outcome)
	}
	return nil
}

// skipLong skips a reply that nobody waits for any more, which may be as long
// as those that somebody waits for.
func (s *session) skipLong(r *reader) error {
	for r.depth >= 0 {
		if _, err := r.next(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		s.link.nextStanza()
	}
	return nil
}

// read returns the outcome of the request, and why the stream is broken if it
// is.
func (rq *request) read(r *reader, start xml.StartElement) (outcome, broken error) {
	if attr(start, "type") == "error" {
		e := &Error{}
		if broken := r.child(start.Name.Space, "error", func(start xml.StartElement) error {
			return e.decode(r, start)
		}); broken != nil {
			return nil, broken
		}
		return e, nil
	}
	if rq.decode == nil {
		return nil, r.skip(-1)
	}
	err := rq.decode(r)
	if errors.Is(err, errNoResult) {
		return err, r.skip(-1)
	}
	return nil, err
}

// errNoResult means that a result lacks what it must have. It is the one error
// that a decode function may make itself; all others are the stream's.
var errNoResult = errors.New("the answer makes no sense")

// decode reads the error element that is open in r (RFC 6120 §8.3).
func (e *Error) decode(r *reader, start xml.StartElement) error {
	e.Type, e.Condition = attr(start, "type"), "undefined-condition"
	return r.children(func(start xml.StartElement) error {
		switch {
		case start.Name == xml.Name{Space: nsStanzas, Local: "text"}:
			text, err := r.text()
			e.Text = text
			return err
		case start.Name.Space == nsStanzas:
			e.Condition = start.Name.Local
		case start.Name.Space == nsPubSubErrors:
			e.Detail = start.Name.Local
		}
		return nil
	})
}
