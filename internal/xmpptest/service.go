package xmpptest

import (
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"
)

const nsPubSub = "http://jabber.org/protocol/pubsub"

// service is the publish-subscribe service of a server.
type service struct {
	srv *Server // static

	// Held while a request is answered and its events are queued, so that every
	// subscriber sees answers and events in the order of what happened.
	mu    sync.Mutex // guards the following field
	nodes map[string]*node
}

func newService(srv *Server) *service {
	return &service{srv: srv, nodes: map[string]*node{}}
}

// node returns a node, which it makes if need be. p.mu must be held.
func (p *service) node(name string) *node {
	if p.nodes[name] == nil {
		p.create(name, NodeConfig{})
	}
	return p.nodes[name]
}

// create makes a node. p.mu must be held.
func (p *service) create(name string, cfg NodeConfig) *node {
	n := &node{name: name, cfg: cfg.withDefaults(), subs: map[string]*subscription{}}
	p.nodes[name] = n
	return n
}

// message sends an event to one subscriber. p.mu must be held.
func (p *service) message(to, attrs, event string) {
	p.messageDelayed(to, attrs, event, "")
}

// messageDelayed is message with a <delay/>, which may be empty.
func (p *service) messageDelayed(to, attrs, event, delay string) {
	p.srv.deliver(to, "<message"+attrs+attr("from", p.srv.cfg.Service)+attr("to", to)+
		"><event xmlns='"+nsPubSub+"#event'>"+event+"</event>"+delay+"</message>")
}

// notify sends an event to all subscribers of n. p.mu must be held.
func (p *service) notify(n *node, event string) {
	attrs := " type='headline'" + attr("id", rand.Text()[:24])
	for _, jid := range n.subscribers() {
		p.message(jid, attrs, event)
	}
}

// subscribers returns the JIDs that get events.
func (n *node) subscribers() []string {
	var list []string
	for _, jid := range slices.Sorted(maps.Keys(n.subs)) {
		if n.subs[jid].state == "subscribed" {
			list = append(list, jid)
		}
	}
	return list
}

// notifyItems is notify with content of the node's items.
func (p *service) notifyItems(n *node, content string) {
	p.notify(n, "<items"+attr("node", n.name)+">"+content+"</items>")
}

// publish stores an item and sends it. p.mu must be held.
func (p *service) publish(n *node, it Item) {
	it.published = time.Now()
	n.keep(it)
	p.notifyItems(n, it.xml())
}

// retract removes an item if it is there. p.mu must be held.
func (p *service) retract(n *node, id string, notify bool) bool {
	i := n.find(id)
	if i < 0 {
		return false
	}
	n.items = slices.Delete(n.items, i, i+1)
	if notify {
		p.notifyItems(n, "<retract"+attr("id", id)+"/>")
	}
	return true
}

// purge removes all items. p.mu must be held.
func (p *service) purge(n *node) {
	n.items = nil
	p.notify(n, "<purge"+attr("node", n.name)+"/>")
}

// remove deletes a node. p.mu must be held.
func (p *service) remove(n *node) {
	delete(p.nodes, n.name)
	p.notify(n, "<delete"+attr("node", n.name)+"/>")
}

// configured does what follows from a change of n's configuration. Like
// Prosody it drops subscribers whom a whitelist excludes without telling them.
// p.mu must be held.
func (p *service) configured(n *node) {
	if n.cfg.NotifyConfig {
		p.notify(n, "<configuration"+attr("node", n.name)+">"+n.form("result", "node_config")+"</configuration>")
	}
	if n.cfg.AccessModel == "whitelist" {
		maps.DeleteFunc(n.subs, func(jid string, _ *subscription) bool { return n.access(bare(jid)) != nil })
	}
}
