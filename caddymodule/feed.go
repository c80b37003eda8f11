package caddymodule

import "github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"

// A feed is one of the nodes of a stream.
type feed struct {
	node *node
	at   eventstream.Position // the place in its log
}

// start returns where a stream begins that comes with a last event ID, or
// without one and is shown so many items.
func (n *node) start(lastEventID string, replay int) eventstream.Start {
	forgetful := n.isForgetful()
	switch {
	case lastEventID != "":
		return n.resume(lastEventID, forgetful)
	case forgetful:
		replay = 0 // what the log has are events that are over
	}
	return n.events.Replay(replay)
}

// resume returns where a stream goes on, and sees to it that the reason of a gap
// is as exact as it can be told.
func (n *node) resume(lastEventID string, forgetful bool) eventstream.Start {
	start := n.events.Resume(lastEventID)
	switch {
	case start.Found, start.Gap == eventstream.UnknownID && !forgetful:
	case start.Gap == eventstream.UnknownID:
		start = n.events.Replay(0)
		start.Gap = eventstream.UnknownID
	case forgetful:
		start.Gap = notRetained
	case start.Gap != "" && start.Tag == n.deleted:
		start.Gap = recreated
	}
	return start
}
