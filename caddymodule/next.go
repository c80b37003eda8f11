package caddymodule

import (
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is how a stream that has begun goes on, whoever writes it.

// Next returns what there is to write now, and whether there may be more at once.
// An error is why the stream ends after that.
func (s *stream) Next(j *eventstream.Joiner) (chunk eventstream.Chunk, more bool, end error) {
	if s.joint != nil {
		return s.nextJoint(j)
	}
	f := &s.feeds[0]
	chunk, next, more, over, err := j.Read(f.node.events, f.at)
	if err != nil {
		return eventstream.Chunk{}, false, err
	}
	// It looks at the access after the events: what came after that was taken
	// away is not among what it then finds to be granted.
	state := f.node.state(s.openOnly)
	switch {
	case state.isDenied():
		return eventstream.NewChunk(s.event("subscription", f.node.events.ID(f.at), subscriptionXML(f.node.id.Name, "none"))), false, delivery.ErrEnd
	case state.access != granted:
		chunk, more, over = eventstream.Chunk{}, false, false
	default:
		f.at = next
	}
	if comment := s.linkComment(state.link); comment != "" {
		chunk = eventstream.NewChunk(chunk.Body(), []byte(comment))
	}
	if over {
		end = delivery.ErrEnd
	}
	return chunk, more, end
}

// nextJoint is Next for a stream of several nodes, whose events are its own. It
// begins where it stopped the last time, so that a busy node does not keep the
// others waiting.
func (s *stream) nextJoint(j *eventstream.Joiner) (chunk eventstream.Chunk, more bool, end error) {
	b := j.Scratch()
	link := s.link
	for range s.feeds {
		i := s.turn
		if len(b) >= maxWrite {
			more = true
			break
		}
		s.turn = (s.turn + 1) % len(s.feeds)
		f := &s.feeds[i]
		entries, next, moreOfIt, over, err := j.Entries(f.node.events, f.at)
		if err != nil {
			return eventstream.Chunk{}, false, err
		}
		state := f.node.state(s.openOnly)
		link = state.link
		switch {
		case state.isDenied():
			b = append(b, s.event("subscription", f.node.events.ID(f.at), subscriptionXML(f.node.id.Name, "none"))...)
			end = delivery.ErrEnd
		case state.access == granted:
			for _, e := range entries {
				b = s.appendEntry(b, i, e)
			}
			f.at, more = next, more || moreOfIt
			if over {
				end = delivery.ErrEnd
			}
		}
	}
	return j.Lend(append(b, s.linkComment(link)...)), more && end == nil, end
}

// isGranted reports whether what was read of the log may be shown.
func (f *feed) isGranted(openOnly bool) bool {
	state := f.node.state(openOnly)
	return state.access == granted && !state.ended
}

// isDenied reports whether nothing may be shown any more.
func (state nodeState) isDenied() bool {
	return state.access == denied || state.access == unconfirmed && state.ended
}

// event returns an event of this stream alone, at the place of an ID.
func (s *stream) event(name, id, data string) []byte {
	if s.joint != nil {
		id = s.joint.ID(id)
	}
	return eventstream.Event{Name: name, ID: id, Data: data}.Append(nil)
}

// appendEntry appends an entry of a feed as this stream has it.
func (s *stream) appendEntry(dst []byte, i int, e *eventstream.Entry) []byte {
	if s.joint == nil {
		return append(dst, e.Body()...)
	}
	before, after := "", ""
	if e.Name() == "" || e.Name() == "retract" {
		before, after = s.feeds[i].node.before, s.feeds[i].node.after
	}
	return s.joint.AppendEntry(dst, i, e, before, after)
}

// linkComment returns what to tell the client of the link, if anything.
func (s *stream) linkComment(link xmppclient.Link) string {
	if (link == xmppclient.Up) == (s.link == xmppclient.Up) {
		return ""
	}
	s.link = link
	if link == xmppclient.Up {
		return eventstream.Comment("the link to the XMPP server is back")
	}
	return eventstream.Comment("the link to the XMPP server is lost")
}
