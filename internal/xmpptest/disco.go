package xmpptest

import (
	"maps"
	"slices"
)

// handleDiscoInfo describes the service, or a node to everybody, also to those
// who may not subscribe to it.
func (p *service) handleDiscoInfo(r request) error {
	if r.node != nil {
		r.reply("<query xmlns='" + nsDiscoInfo + "'" + attr("node", r.node.name) + "><identity category='pubsub' type='leaf'/>" +
			feature(nsPubSub) + r.node.form("result", "meta-data") + "</query>")
		return nil
	}
	features := feature(nsDiscoInfo) + feature(nsDiscoItems) + feature(nsPubSub)
	for _, f := range []string{
		"access-open", "access-whitelist", "config-node", "create-and-configure", "create-nodes", "delete-items", "delete-nodes",
		"instant-nodes", "item-ids", "meta-data", "persistent-items", "publish", "purge-nodes", "retract-items", "retrieve-items",
		"retrieve-subscriptions", "subscribe",
	} {
		features += feature(nsPubSub + "#" + f)
	}
	r.reply("<query xmlns='" + nsDiscoInfo + "'><identity category='pubsub' type='service' name='xmpptest'/>" + features + "</query>")
	return nil
}

// handleDiscoItems lists the nodes, or the items of one, the newest first.
func (p *service) handleDiscoItems(r request) error {
	jid := attr("jid", p.srv.cfg.Service)
	list, ofNode := "", ""
	if r.node == nil {
		for _, name := range slices.Sorted(maps.Keys(p.nodes)) {
			list += "<item" + jid + attr("node", name) + attrIf("name", p.nodes[name].cfg.Title) + "/>"
		}
	} else {
		if err := r.node.access(bare(r.jid)); err != nil {
			return err
		}
		ofNode = attr("node", r.node.name)
		for _, it := range slices.Backward(r.node.items) {
			list += "<item" + jid + attr("name", it.ID) + "/>"
		}
	}
	r.reply("<query xmlns='" + nsDiscoItems + "'" + ofNode + ">" + list + "</query>")
	return nil
}
