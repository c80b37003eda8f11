package caddymodule_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An events is an event stream that is being read.
type events struct {
	t    *testing.T
	res  *http.Response
	in   *bufio.Reader
	stop context.CancelFunc

	comments []string // what came between the events
	retries  []string
	last     string // the ID of the last event
}

// stream opens an event stream.
func (s *site) stream(path string, header ...string) *events {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	res := s.send(ctx, http.MethodGet, path, header...)
	e := newEvents(s.t, res, cancel)
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("GET %s: %s: %s", path, res.Status, body)
	}
	return e
}

func newEvents(t *testing.T, res *http.Response, stop context.CancelFunc) *events {
	e := &events{t: t, res: res, in: bufio.NewReader(res.Body), stop: stop}
	t.Cleanup(e.close)
	return e
}

func (e *events) close() {
	e.stop()
	e.res.Body.Close()
}

// An event is one that a stream dispatched.
type event struct {
	name, id, data string
}

// line returns the next line, or the error that ended the stream.
func (e *events) line() (string, error) {
	line, err := e.in.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// next returns the next event, or the error that ended the stream. The fields
// have to be in our order.
func (e *events) next() (event, error) {
	timer := time.AfterFunc(patience, e.stop)
	defer timer.Stop()
	var ev event
	var data []string
	for last := ""; ; {
		line, err := e.line()
		if err != nil {
			return event{}, err
		}
		if line == "" {
			if last != "data" {
				return event{}, errors.New("a blank line which is not after data")
			}
			ev.data = strings.Join(data, "\n")
			return ev, nil
		}
		field, value, ok := strings.Cut(line, ": ")
		if comment, is := strings.CutPrefix(line, ":"); is {
			ok, field, value = true, "", strings.TrimPrefix(comment, " ")
		}
		switch order := last + ">" + field; {
		case !ok:
			return event{}, fmt.Errorf("the line %q", line)
		case order == ">":
			e.comments = append(e.comments, value)
		case order == ">retry":
			e.retries = append(e.retries, value)
			continue
		case order == ">event":
			ev.name = value
		case order == ">id", order == "event>id":
			ev.id = value
		case order == "id>data", order == "data>data":
			data = append(data, value)
		default:
			return event{}, fmt.Errorf("the line %q comes after the field %q", line, last)
		}
		last = field
	}
}

// want wants the next event to be of the name and to have the data.
func (e *events) want(name, data string) event {
	e.t.Helper()
	ev, err := e.next()
	if err != nil {
		e.t.Fatalf("waiting for %s %s: %v", name, data, err)
	}
	if ev.name != name || ev.data != data {
		e.t.Fatalf("event %q with %.2000s, want %q with %.2000s", ev.name, ev.data, name, data)
	}
	if ev.id == "" {
		e.t.Errorf("event %q has no id", name)
	}
	e.last = ev.id
	return ev
}

// wantSubscribed wants the event that comes first.
func (e *events) wantSubscribed(node string) event {
	e.t.Helper()
	return e.want("subscription", fmt.Sprintf("<subscription node='%s' subscription='subscribed'/>", node))
}

// wantItem wants an item without a publisher.
func (e *events) wantItem(id, payload string) event {
	e.t.Helper()
	return e.want("", itemData(id, payload))
}

func itemData(id, payload string) string {
	return fmt.Sprintf("<item xmlns='http://jabber.org/protocol/pubsub' id='%s'>%s</item>", id, payload)
}

// mustNext returns the next event.
func (e *events) mustNext() event {
	e.t.Helper()
	ev, err := e.next()
	if err != nil {
		e.t.Fatal(err)
	}
	e.last = ev.id
	return ev
}

func (e *events) wantGap(node, reason string) event {
	e.t.Helper()
	return e.want("gap", fmt.Sprintf(`{"node":%q,"reason":%q}`, node, reason))
}

// wantLine wants the next line to be exactly this.
func (e *events) wantLine(want string) {
	e.t.Helper()
	timer := time.AfterFunc(patience, e.stop)
	defer timer.Stop()
	got, err := e.line()
	if err != nil || got != want {
		e.t.Fatalf("the line %q (%v), want %q", got, err, want)
	}
}

// wantEnd wants the stream to be aborted, without another event.
func (e *events) wantEnd() {
	e.t.Helper()
	ev, err := e.next()
	switch {
	case err == nil:
		e.t.Fatalf("event %+v, want the end of the stream", ev)
	case err == io.EOF:
		e.t.Errorf("the stream ended cleanly; it has to be aborted")
	case errors.Is(err, context.Canceled):
		e.t.Errorf("the stream does not end")
	}
}

// wantOver wants the stream to end cleanly, without another event.
func (e *events) wantOver() {
	e.t.Helper()
	if ev, err := e.next(); err != io.EOF {
		e.t.Errorf("%+v, %v, want the clean end of the stream", ev, err)
	}
}
