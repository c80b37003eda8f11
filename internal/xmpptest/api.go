package xmpptest

import (
	"crypto/rand"
	"fmt"
	"slices"
)

// CreateNode makes a node. If it exists its configuration is replaced.
func (srv *Server) CreateNode(name string, cfg NodeConfig) {
	srv.pubsub.mu.Lock()
	defer srv.pubsub.mu.Unlock()
	srv.pubsub.node(name).cfg = cfg.withDefaults()
}

// DeleteNode deletes a node with its items and subscriptions, and tells the
// subscribers.
func (srv *Server) DeleteNode(name string) { srv.withNode(name, srv.pubsub.remove) }

// PurgeNode removes all items of a node, and tells the subscribers.
func (srv *Server) PurgeNode(name string) { srv.withNode(name, srv.pubsub.purge) }

// withNode calls f with the service's mutex held, if there is such a node.
func (srv *Server) withNode(name string, f func(*node)) {
	srv.pubsub.mu.Lock()
	defer srv.pubsub.mu.Unlock()
	if n := srv.pubsub.nodes[name]; n != nil {
		f(n)
	}
}

// Publish publishes an item and returns its id, which it makes up if id is
// empty. The payload is XML and written as it is: it has to be well-formed and
// declare its namespaces, or is empty. It creates the node if there is none.
func (srv *Server) Publish(node, id, payload string) string {
	return srv.PublishAs("", node, id, payload)
}

// PublishAs is Publish with the JID publisher named as the item's publisher.
func (srv *Server) PublishAs(publisher, node, id, payload string) string {
	if id == "" {
		id = newUUID()
	}
	srv.pubsub.mu.Lock()
	defer srv.pubsub.mu.Unlock()
	srv.pubsub.publish(srv.pubsub.node(node), Item{ID: id, Publisher: publisher, Payload: payload})
	return id
}

// Retract removes an item, if it exists, and tells the subscribers.
func (srv *Server) Retract(name, id string) {
	srv.withNode(name, func(n *node) { srv.pubsub.retract(n, id, true) })
}

// Items returns the items a node keeps, the oldest first.
func (srv *Server) Items(name string) (items []Item) {
	srv.withNode(name, func(n *node) { items = slices.Clone(n.items) })
	return items
}

// Subscribers returns the JIDs subscribed to a node, without the pending ones,
// sorted.
func (srv *Server) Subscribers(name string) (jids []string) {
	srv.withNode(name, func(n *node) { jids = n.subscribers() })
	return jids
}

// SetAccessModel changes who may subscribe to a node. A whitelist ends the
// subscriptions of all others, silently.
func (srv *Server) SetAccessModel(name, model string) {
	srv.withNode(name, func(n *node) {
		n.cfg.AccessModel = model
		srv.pubsub.configured(n)
	})
}

// ApproveSubscription turns a pending subscription into a real one, and tells
// the subscriber.
func (srv *Server) ApproveSubscription(name, jid string) {
	srv.withNode(name, func(n *node) {
		sub := n.subscribe(jid, "pending")
		sub.state = "subscribed"
		srv.pubsub.message(jid, "", n.subscriptionXML(jid, sub.state, sub.id))
	})
}

// EndSubscription ends a subscription, also a pending one, and tells the
// subscriber.
func (srv *Server) EndSubscription(name, jid string) {
	srv.withNode(name, func(n *node) {
		delete(n.subs, jid)
		srv.pubsub.message(jid, "", n.subscriptionXML(jid, "none", ""))
	})
}

// newUUID returns a random UUID, the kind of item id Prosody makes up.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
