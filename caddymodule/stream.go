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
	// writeFor is how long a client may take to read what is written.
	writeFor = 20 * time.Second
	// maxWrite is how much is written at a time.
	maxWrite = 64 << 10
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

// catchUp waits until the logs have what the client has had of other instances.
func (s *stream) catchUp() error {
	for _, f := range s.feeds {
		if !f.node.isBehind(s.lastEventID) {
			continue
		}
		for caught := f.node.catchUp(); !isClosed(caught); {
			if err := s.wait([]<-chan struct{}{caught}); err != nil {
				return err
			}
		}
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// begin finds the places in the logs where the stream starts. It returns the
// events that tell the client so, and what there is for the client to catch up
// with.
func (s *stream) begin() (first, missed []eventstream.Frame) {
	starts := make([]eventstream.Start, len(s.feeds))
	ids := make([]string, len(s.feeds))
	for i, f := range s.feeds {
		starts[i] = f.node.start(s.lastEventID, s.handler.replay)
		f.at, ids[i] = starts[i].Next, starts[i].ID
	}
	if s.several {
		s.joint = eventstream.NewJoint(ids...)
	}
	for i, f := range s.feeds {
		name := f.node.id.Name
		first = append(first, s.event("subscription", ids[i], subscriptionXML(name, "subscribed")))
		if gap := starts[i].Gap; gap != "" {
			missed = append(missed, s.event("gap", ids[i], gapJSON(name, gap)))
		}
	}
	for i := range s.feeds {
		missed = append(missed, s.frames(i, starts[i].Entries)...)
	}
	return first, missed
}

// event returns an event of this stream alone, at the place of an ID.
func (s *stream) event(name, id, data string) eventstream.Frame {
	if s.joint != nil {
		id = s.joint.ID(id)
	}
	return eventstream.Event{Name: name, ID: id, Data: data}.Append(nil)
}

// frames returns entries of a feed as this stream has them.
func (s *stream) frames(i int, entries []*eventstream.Entry) []eventstream.Frame {
	frames := make([]eventstream.Frame, len(entries))
	for k, e := range entries {
		if s.joint == nil {
			frames[k] = e.Frame()
			continue
		}
		before, after := "", ""
		if e.Name() == "" || e.Name() == "retract" {
			before, after = s.feeds[i].before, s.feeds[i].after
		}
		frames[k] = s.joint.AppendEntry(nil, i, e, before, after)
	}
	return frames
}

// follow writes the nodes' events from where the stream starts.
func (s *stream) follow() error {
	s.link = xmppclient.Up
	if err := s.catchUp(); err != nil {
		return err
	}
	first, missed := s.begin()
	if err := s.write(append(first, missed...)...); err != nil {
		return err
	}
	for {
		got, err := s.readNew()
		if err != nil {
			return err
		}
		if comment := s.linkComment(got.link); comment != nil {
			got.frames = append(got.frames, comment)
		}
		if len(got.frames) > 0 {
			err = s.write(got.frames...)
		}
		switch {
		case err != nil:
			return err
		case got.over:
			return errOver
		}
		if err := s.wait(got.changed); err != nil {
			return err
		}
	}
}

// A batch is what is new in all feeds of a stream.
type batch struct {
	frames  []eventstream.Frame
	link    xmppclient.Link
	over    bool              // there never will be more
	changed []<-chan struct{} // closed when there may be more
}

// readNew returns what is new.
func (s *stream) readNew() (b batch, err error) {
	for i, f := range s.feeds {
		got, err := f.read(s.openOnly)
		if err != nil {
			return b, err
		}
		b.frames = append(b.frames, s.frames(i, got.entries)...)
		if got.denied {
			b.frames = append(b.frames, s.event("subscription", f.node.events.ID(f.at), subscriptionXML(f.node.id.Name, "none")))
		}
		b.link = got.link
		b.over = b.over || got.denied || got.over
		b.changed = append(b.changed, got.more, got.changed)
	}
	return b, nil
}

// linkComment returns what to tell the client of the link, or nil.
func (s *stream) linkComment(link xmppclient.Link) eventstream.Frame {
	if (link == xmppclient.Up) == (s.link == xmppclient.Up) {
		return nil
	}
	s.link = link
	if link == xmppclient.Up {
		return eventstream.Frame(eventstream.Comment("the link to the XMPP server is back"))
	}
	return eventstream.Frame(eventstream.Comment("the link to the XMPP server is lost"))
}

// write writes frames and sees that they leave. Each maxWrite bytes have time
// of their own, so that a client need not be fast but only go on reading.
func (s *stream) write(frames ...eventstream.Frame) error {
	// Where there are no deadlines, the server's own bounds hold.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeFor))
	left := maxWrite // bytes that may be written in that time
	for _, p := range frames {
		for len(p) > 0 {
			if left == 0 {
				if s.over.Err() != nil {
					return context.Cause(s.over)
				}
				_ = s.rc.SetWriteDeadline(time.Now().Add(writeFor))
				left = maxWrite
			}
			n := min(len(p), left)
			if _, err := s.w.Write(p[:n]); err != nil {
				return err
			}
			p, left = p[n:], left-n
		}
	}
	err := s.rc.Flush()
	if err == nil && s.beat != nil {
		s.beat.Reset(time.Duration(s.handler.Heartbeat))
	}
	// An HTTP/2 stream is reset at its deadline even if nothing is written.
	// Writers without deadlines have nothing to take back.
	_ = s.rc.SetWriteDeadline(time.Time{})
	return err
}
