package caddymodule

import (
	"errors"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is how the log of a node becomes what the service has, when the
// node is first followed and whenever events may have been missed. All of it
// runs on the goroutine that reads the XMPP stream.

// Reasons of a gap, besides those of eventstream.
const (
	notRetained = "not-retained" // the service retains nothing, or does not tell what
	recreated   = "recreated"    // the node was deleted, and there is one of its name again
	tooLarge    = "too-large"    // an event was over the limit
	malformed   = "malformed"    // an event cannot be written as XML
)

// onItems hears what the service retains of a node.
func (a *account) onItems(id xmppclient.Node, got xmppclient.Retained) {
	if n := a.lookup(id); n != nil {
		n.settle(got)
	}
}

// unsettle is called when events may have been missed. Until the service has
// told what it retains, those that come wait, since what was missed came
// before them. A log that was never filled has missed nothing.
func (n *node) unsettle() {
	n.settled, n.pending, n.pendingBytes = false, nil, 0
}

// settle brings the log to what the service retains, and goes on with the events
// that waited for that.
func (n *node) settle(got xmppclient.Retained) {
	if got.Err == nil {
		n.setRetains(true)
		n.reconcile(got)
	} else {
		n.setRetains(false)
		n.missAll()
	}
	n.goOn()
}

// missAll notes that nobody can say what was missed.
func (n *node) missAll() {
	if n.filled && !n.settled {
		n.events.Miss(n.gap(notRetained))
	}
}

// goOn goes on with the events that waited.
func (n *node) goOn() {
	pending := n.pending
	n.filled, n.settled, n.pending, n.pendingBytes = true, true, nil, 0
	for _, ev := range pending {
		// Some services send the last item again to who subscribes again.
		if ev.Kind != xmppclient.Published || !n.events.Has(itemOf(ev.Item)) {
			n.apply(ev)
		}
	}
}

// hold keeps an event until the node is settled, which is then more urgent than
// for nodes where nothing happens. A service that cannot say what it retains
// cannot make us keep ever more of them.
func (n *node) hold(ev xmppclient.Event) {
	if len(n.pending) == 0 {
		n.account.client.Expedite(n.id)
	}
	n.pending = append(n.pending, ev)
	n.pendingBytes += len(ev.Item.Payload)
	for len(n.pending) > defaultEvents || n.pendingBytes > defaultBytes {
		if n.filled {
			n.missAll()
			n.goOn()
			return
		}
		// Nobody watches yet, and what is retained will be told.
		n.pendingBytes -= len(n.pending[0].Item.Payload)
		n.pending = n.pending[1:]
	}
}

// reconcile appends what was published and retracted meanwhile, and a gap if
// there may have been more. An item of which an event was heard since the service
// was asked may be in its answer as it was before; and of those that wait, the
// events tell.
func (n *node) reconcile(got xmppclient.Retained) {
	touched, purged := n.touchedSince(got.Asked)
	if purged {
		return // all that is there came after it
	}
	items := make([]eventstream.Item, len(got.Items))
	for i, item := range got.Items {
		items[i] = itemOf(item)
	}
	d := n.events.Compare(items, got.Complete, n.settled, touched)
	if d.Gap != "" && n.filled {
		n.appendGap(d.Gap)
	}
	if d.Purged {
		n.purge()
	}
	for _, id := range d.Retracted {
		n.retract(id)
	}
	for _, i := range d.New {
		n.publish(got.Items[i])
	}
}

// recentFor is how long what happened to an item is remembered, which is longer
// than the service may take to say what it retains.
const recentFor = 30 * time.Second

// touch remembers that something happened to an item, or to all.
func (n *node) touch(ev xmppclient.Event) {
	old := 0
	for old < len(n.recent) && ev.Received.Sub(n.recent[old].received) > recentFor {
		old++
	}
	n.recent = append(n.recent[old:], touch{ev.Kind, ev.Item.ID, ev.Received})
}

// A touch is what there is to remember of an event.
type touch struct {
	kind     xmppclient.Kind
	item     string
	received time.Time
}

// touchedSince returns the IDs of the items of which events were heard since t,
// or wait, each with whether it was retracted, and whether all items were purged.
func (n *node) touchedSince(t time.Time) (items map[string]bool, purged bool) {
	items = make(map[string]bool)
	for _, ev := range n.pending {
		items[ev.Item.ID] = ev.Kind == xmppclient.Retracted
		purged = purged || ev.Kind == xmppclient.Purged
	}
	for _, ev := range n.recent {
		if !ev.received.Before(t) {
			items[ev.item] = ev.kind == xmppclient.Retracted
			purged = purged || ev.kind == xmppclient.Purged
		}
	}
	return items, purged
}

func itemOf(item xmppclient.Item) eventstream.Item {
	return eventstream.Item{ID: item.ID, Fingerprint: item.Fingerprint}
}

// publish appends that an item was published, as Prosody's
// mod_pubsub_eventsource writes it, or that it cannot be shown.
func (n *node) publish(item xmppclient.Item) {
	if item.Err == nil {
		n.events.Publish(itemOf(item), eventstream.Event{Data: itemXML(item)})
		return
	}
	reason := malformed
	if errors.Is(item.Err, xmppclient.ErrTooLarge) {
		reason = tooLarge
	}
	n.events.Publish(itemOf(item), n.gap(reason))
}

func (n *node) retract(itemID string) {
	n.events.Retract(itemID, eventstream.Event{Name: "retract", Data: element("retract", "id", itemID)})
}

func (n *node) purge() {
	n.events.Purge(eventstream.Event{Name: "purge", Data: element("purge", "node", n.id.Name)})
}
