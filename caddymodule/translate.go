package caddymodule

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is where the vocabulary of XMPP becomes that of event streams.

// onEvent hears what a node notified. It is called by the client in the order of
// the XMPP stream, and does not wait.
func (a *account) onEvent(ev xmppclient.Event) {
	n := a.lookup(ev.Node)
	if n == nil {
		return
	}
	switch ev.Kind {
	case xmppclient.Published, xmppclient.Retracted, xmppclient.Purged:
		n.hear(ev)
	case xmppclient.Deleted:
		n.goOn()
		n.events.Purge(eventstream.Event{Name: "delete", Data: element("delete", "node", ev.Node.Name)})
		a.bury(n)
		n.endStanding(errDeleted)
	case xmppclient.Configured:
		// Who may watch is seen when the outcome comes.
		a.mu.Lock()
		n.doubtAccess()
		a.mu.Unlock()
		a.client.Subscribe(ev.Node)
	case xmppclient.SubscriptionChanged:
		if ev.Subscription != "subscribed" {
			n.goOn()
			n.appendSubscription("none")
			n.endStanding(errTakenAway)
		}
	}
}

// hear hears what happened to the node's items.
func (n *node) hear(ev xmppclient.Event) {
	switch {
	case ev.Delayed.IsZero() && n.settled:
		n.apply(ev)
	case ev.Delayed.IsZero():
		n.hold(ev)
	case !n.settled:
		// It was before the service tells what it retains.
	case ev.Kind == xmppclient.Published && n.events.Has(itemOf(ev.Item)):
		// ejabberd sends the last item to who renews a subscription.
	case n.isForgetful():
		n.apply(ev) // there is nobody else to ask
	default:
		// What comes late may not be all that was missed.
		n.unsettle()
		n.account.client.Subscribe(n.id)
	}
}

// apply appends what happened to the node's items.
func (n *node) apply(ev xmppclient.Event) {
	n.touch(ev)
	switch ev.Kind {
	case xmppclient.Retracted:
		n.retract(ev.Item.ID)
	case xmppclient.Purged:
		n.purge()
	default:
		if ev.Item.Err != nil {
			n.account.log().Warn("an item is not delivered", zap.Stringer("node", n.id), zap.Error(ev.Item.Err))
		}
		n.publish(ev.Item)
	}
}

var (
	errDeleted   = errors.New("the node was deleted")
	errTakenAway = errors.New("the service ended the subscription")
)

// endStanding ends the node after an event that has told why.
func (n *node) endStanding(err error) {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	n.standing, n.interrupted = false, false
	n.end(err)
}

// appendSubscription appends that our subscription is now in the state.
func (n *node) appendSubscription(state string) {
	n.events.Append(eventstream.Event{Name: "subscription", Data: subscriptionXML(n.id.Name, state)})
}

// appendGap appends that events may have been missed, and why.
func (n *node) appendGap(reason string) {
	n.events.Append(n.gap(reason))
}

// gap returns the event that others may have been missed, or this one was.
func (n *node) gap(reason string) eventstream.Event {
	return eventstream.Event{Name: "gap", Data: gapJSON(n.id.Name, reason)}
}

func gapJSON(node, reason string) string {
	data, err := json.Marshal(struct {
		Node   string `json:"node"`
		Reason string `json:"reason"`
	}{node, reason})
	if err != nil {
		panic(err) // two strings
	}
	return string(data)
}

func subscriptionXML(node, state string) string {
	return element("subscription", "node", node, "subscription", state)
}

// itemXML returns the item in the namespace that Prosody's module writes, which
// is that of requests and not of events.
func itemXML(item xmppclient.Item) string {
	attrs := []string{"xmlns", "http://jabber.org/protocol/pubsub", "id", item.ID}
	if item.Publisher != "" {
		attrs = append(attrs, "publisher", item.Publisher)
	}
	if item.Payload == "" {
		return element("item", attrs...)
	}
	return startTag("item", attrs...) + item.Payload + "</item>"
}

// startTag returns the start tag of an element with attributes, as element does.
func startTag(name string, attrs ...string) string {
	return strings.TrimSuffix(element(name, attrs...), "/>") + ">"
}

// element returns an empty element with attributes, given by name and value.
func element(name string, attrs ...string) string {
	var b strings.Builder
	b.WriteString("<" + name)
	for i := 0; i < len(attrs); i += 2 {
		b.WriteString(" " + attrs[i] + "='")
		// A Builder takes everything.
		_ = xml.EscapeText(&b, []byte(attrs[i+1]))
		b.WriteString("'")
	}
	b.WriteString("/>")
	return b.String()
}
