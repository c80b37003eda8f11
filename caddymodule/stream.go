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
	node        *node
	w           http.ResponseWriter
	r           *http.Request
	rc          *http.ResponseController
	openOnly    bool // only a node whose access model is open may be shown
	lastEventID string

	at   eventstream.Position // the place in the node's log
	link xmppclient.Link      // as the client knows it

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
		return toHTTP(s.node.id, err)
	}
	s.head()
	if s.r.Method == http.MethodHead {
		return nil
	}
	end := s.stream(err != nil)
	s.handler.log.Debug("stream ended", zap.Stringer("node", s.node.id), zap.Error(end))
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

// admit waits until the node can be shown. A stream that is held open waits for
// all that may yet change; any other returns errHeld if that would be long.
func (s *stream) admit(held bool) error {
	for {
		changed, err := s.node.admission(s.openOnly)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errPending):
		case held && mayChange(err):
		default:
			return err
		}
		if err := s.wait(changed, nil); err != nil {
			return err
		}
	}
}

// mayChange reports whether a stream that is open had better wait than end with
// err: its client might not come back.
func mayChange(err error) bool {
	return errors.Is(err, errHeld) || errors.Is(err, xmppclient.ErrRejected) || xmppclient.Temporary(err)
}

// begin finds the place in the log where the stream starts, and returns the
// events that tell the client so, and whether it is the one that the client
// asked for.
func (s *stream) begin() (out []byte, found bool) {
	log, name := s.node.events, s.node.id.Name
	at, found := log.Find(s.lastEventID)
	if !found {
		at = log.End()
	}
	s.at = at
	id := log.ID(at)
	out = eventstream.Event{Name: "subscription", ID: id, Data: subscriptionXML(name, "subscribed")}.Append(nil)
	if s.lastEventID != "" && !found {
		out = eventstream.Event{Name: "gap", ID: id, Data: gapJSON(name, "unknown-id")}.Append(out)
	}
	return out, found
}

// follow writes the node's events from where the stream starts.
func (s *stream) follow() error {
	s.link = xmppclient.Up
	first, _ := s.begin()
	if err := s.write(first); err != nil {
		return err
	}
	for {
		got, err := s.read()
		if err != nil {
			return err
		}
		if got.denied {
			last := eventstream.Event{Name: "subscription", ID: s.node.events.ID(s.at), Data: subscriptionXML(s.node.id.Name, "none")}
			_ = s.write(last.Append(nil)) // it ends in any case
			return errOver
		}
		if err := s.writeNew(got); err != nil {
			return err
		}
		if got.over {
			return errOver
		}
		if err := s.wait(got.more, got.changed); err != nil {
			return err
		}
	}
}

// What read found.
type news struct {
	frames        []eventstream.Frame
	link          xmppclient.Link
	denied        bool            // the node may not be shown any more
	over          bool            // there never will be more than this
	more, changed <-chan struct{} // closed when there may be something new to read
}

// read returns the events that have come, as far as they may be shown, and what
// else is new. It looks at the events first: what came after the access was
// taken away is not among those that it then finds to be granted.
func (s *stream) read() (news, error) {
	frames, next, more, err := s.node.events.Read(s.at)
	if err != nil {
		return news{}, err
	}
	state := s.node.state(s.openOnly)
	got := news{link: state.link, changed: state.changed}
	switch {
	case state.access == denied, state.access == unconfirmed && state.ended:
		got.denied = true
	case state.access == granted:
		got.frames, got.more, got.over = frames, more, more == nil
		s.at = next
	}
	return got, nil
}

// writeNew writes events, and what became of the link.
func (s *stream) writeNew(got news) error {
	frames := got.frames
	if up := got.link == xmppclient.Up; up != (s.link == xmppclient.Up) {
		text := "the link to the XMPP server is lost"
		if up {
			text = "the link to the XMPP server is back"
		}
		frames = append(frames, eventstream.Frame(eventstream.Comment(text)))
		s.link = got.link
	}
	if len(frames) == 0 {
		return nil
	}
	return s.write(frames...)
}

// waitAtMost bounds how long wait may wait in all. The function it returns
// frees what that takes.
func (s *stream) waitAtMost(d time.Duration) (free func()) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.patience = ctx.Done()
	return cancel
}

// wait waits for one of two channels, and keeps the client from giving up. An
// error is why the stream has to end.
func (s *stream) wait(a, b <-chan struct{}) error {
	var beat <-chan time.Time
	if s.beat != nil {
		beat = s.beat.C
	}
	select {
	case <-a:
	case <-b:
	case <-beat:
		return s.write([]byte(eventstream.Heartbeat))
	case <-s.patience:
		return errHeld
	case <-s.r.Context().Done():
		return s.r.Context().Err()
	case <-s.over.Done():
		return context.Cause(s.over)
	}
	return nil
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
