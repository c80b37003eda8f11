package caddymodule

import (
	"errors"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is how a response comes to begin: that its nodes may be shown, and
// where in their logs it starts.

var errHeld = errors.New("it cannot be said yet whether the node can be shown")

// admit waits until all nodes can be shown. A stream that is held open waits for
// all that may yet change; any other returns errHeld if that would be long.
func (s *response) admit(held bool) error {
	for {
		pending, err := s.admitOnce(held)
		if !pending || err != nil && !mayChange(err) {
			return err
		}
		if err := s.wait(nil); err != nil {
			return err
		}
	}
}

// admitOnce reports whether there are nodes that cannot be shown yet, and returns
// why the stream cannot begin. Refusals come before what may yet change.
func (s *response) admitOnce(held bool) (pending bool, err error) {
	for i := range s.feeds {
		n := s.feeds[i].node
		failed := n.admission(s.openOnly)
		switch {
		case failed == nil:
		case errors.Is(failed, errPending), held && mayChange(failed):
			pending = true
		case err == nil || mayChange(err) && !mayChange(failed):
			s.refused, err = n, failed
		}
	}
	return pending, err
}

// mayChange reports whether a stream that is open had better wait than end with
// err: its client might not come back.
func mayChange(err error) bool {
	return errors.Is(err, errHeld) || errors.Is(err, xmppclient.ErrRejected) || xmppclient.Temporary(err)
}

// begin finds the places in the logs where the stream starts.
func (s *response) begin() ([]eventstream.Start, error) {
	s.link = xmppclient.Up
	starts, err := s.find()
	if err != nil {
		return nil, err
	}
	waited, err := s.catchUp(starts)
	if waited && err == nil {
		starts, err = s.find()
	}
	return starts, err
}

// find finds the places as the logs are now. What is there may be shown if it
// still may be afterwards; if that is not certain any more, the stream waits as
// it did before it began.
func (s *response) find() ([]eventstream.Start, error) {
	starts := make([]eventstream.Start, len(s.feeds))
	for {
		granted := true
		for i := range s.feeds {
			f := &s.feeds[i]
			starts[i] = f.node.start(s.lastEventID, s.handler.replay)
			f.at = starts[i].Next
			granted = granted && f.isGranted(s.openOnly)
		}
		if granted {
			return starts, nil
		}
		if err := s.admit(true); err != nil {
			return nil, err
		}
	}
}

// catchUp waits until the logs have what the client has had of other instances,
// if it has had more than they know. It reports whether that was so.
func (s *response) catchUp(starts []eventstream.Start) (waited bool, err error) {
	var behind []<-chan struct{}
	for i := range s.feeds {
		if starts[i].Behind {
			behind = append(behind, s.feeds[i].node.catchUp())
		}
	}
	for _, caught := range behind {
		for !isClosed(caught) {
			if err := s.wait(caught); err != nil {
				return true, err
			}
		}
	}
	return len(behind) > 0, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tell writes what the client has to be told first: if subscribed, that it is;
// then what there is to catch up with, a part at a time. write must not keep
// what it is given.
func (s *response) tell(starts []eventstream.Start, subscribed bool, write func([]byte) error) error {
	j := joiners.Get().(*eventstream.Joiner)
	defer joiners.Put(j)
	b := s.appendFirst(j.Scratch(), starts, subscribed)
	for i := range starts {
		for _, e := range starts[i].Entries {
			if b = s.appendEntry(b, i, e); len(b) < maxWrite {
				continue
			}
			if err := write(j.Lend(b).Body()); err != nil {
				return err
			}
			b = j.Scratch()
		}
	}
	return write(j.Lend(b).Body())
}

// appendFirst appends the events that come before those of the logs.
func (s *response) appendFirst(b []byte, starts []eventstream.Start, subscribed bool) []byte {
	if s.several {
		ids := make([]string, len(starts))
		for i := range starts {
			ids[i] = starts[i].ID
		}
		s.joint = eventstream.NewJoint(ids...)
	}
	for i := range starts {
		if subscribed {
			b = append(b, s.event("subscription", starts[i].ID, subscriptionXML(s.feeds[i].node.id.Name, "subscribed"))...)
		}
	}
	for i := range starts {
		if gap := starts[i].Gap; gap != "" {
			b = append(b, s.event("gap", starts[i].ID, gapJSON(s.feeds[i].node.id.Name, gap))...)
		}
	}
	return b
}
