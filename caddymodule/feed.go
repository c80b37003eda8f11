package caddymodule

import (
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// A feed is one of the nodes of a stream.
type feed struct {
	node *node
	at   eventstream.Position // the place in its log

	// What the data of an item is put between where a stream has several nodes.
	before, after string
}

func newFeed(n *node) *feed {
	return &feed{node: n, before: startTag("items", "node", n.id.Name), after: "</items>"}
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

// news is what there is to read of a feed.
type news struct {
	entries       []*eventstream.Entry
	link          xmppclient.Link
	denied        bool            // the node may not be shown any more
	over          bool            // there never will be more than this
	more, changed <-chan struct{} // closed when there may be something new to read
}

// isGranted reports whether what was read of the log may be shown.
func (f *feed) isGranted(openOnly bool) bool {
	state := f.node.state(openOnly)
	return state.access == granted && !state.ended
}

// read returns the events that have come, as far as they may be shown, and what
// else is new. It looks at the events first: what came after the access was
// taken away is not among those that it then finds to be granted.
func (f *feed) read(openOnly bool) (news, error) {
	entries, next, more, err := f.node.events.Read(f.at)
	if err != nil {
		return news{}, err
	}
	state := f.node.state(openOnly)
	got := news{link: state.link, changed: state.changed}
	switch {
	case state.access == denied, state.access == unconfirmed && state.ended:
		got.denied = true
	case state.access == granted:
		got.entries, got.more, got.over = entries, more, more == nil
		f.at = next
	}
	return got, nil
}
