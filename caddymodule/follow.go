package caddymodule

import (
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is how a stream finds where it starts and goes on from there.

// catchUp waits until the logs have what the client has had of other instances,
// if it has had more than they know. It reports whether that was so.
func (s *stream) catchUp(starts []eventstream.Start) (waited bool, err error) {
	var behind []<-chan struct{}
	for i, f := range s.feeds {
		if starts[i].Behind {
			behind = append(behind, f.node.catchUp())
		}
	}
	for _, caught := range behind {
		for !isClosed(caught) {
			if err := s.wait([]<-chan struct{}{caught}); err != nil {
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

// start finds the places in the logs where the stream starts.
func (s *stream) start() ([]eventstream.Start, error) {
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
func (s *stream) find() ([]eventstream.Start, error) {
	starts := make([]eventstream.Start, len(s.feeds))
	for {
		granted := true
		for i, f := range s.feeds {
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

// begin starts the stream. It returns the events that tell the client so, and
// what there is for the client to catch up with.
func (s *stream) begin() (first, missed []eventstream.Frame, err error) {
	starts, err := s.start()
	if err != nil {
		return nil, nil, err
	}
	ids := make([]string, len(s.feeds))
	for i := range starts {
		ids[i] = starts[i].ID
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
	return first, missed, nil
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
	first, missed, err := s.begin()
	if err != nil {
		return err
	}
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
