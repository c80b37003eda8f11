package xmpptest

import "strconv"

// handleItems returns what was asked for by id in the order of the request, or
// the newest max_items, the oldest first.
func (p *service) handleItems(r request) error {
	n := r.node
	if err := n.access(bare(r.jid)); err != nil {
		return err
	}
	if n.cfg.Transient {
		return errTransient
	}
	items := n.items
	if limit, err := strconv.Atoi(r.verb.Attr("max_items")); err == nil {
		// Prosody sends one item when asked for none.
		items = items[len(items)-min(max(limit, 1), len(items)):]
	}
	if len(r.verb.Children) > 0 {
		items = nil
		for _, wanted := range r.verb.Children {
			if i := n.find(wanted.Attr("id")); i >= 0 {
				items = append(items, n.items[i])
			}
		}
	}
	list := ""
	for _, it := range items {
		list += it.xml()
	}
	r.replyPubSub("<items" + attr("node", n.name) + ">" + list + "</items>")
	return nil
}

// handlePublish publishes one item. Like Prosody it drops further ones.
func (p *service) handlePublish(r request) error {
	if !r.node.mayPublish(bare(r.jid)) {
		return errForbidden
	}
	item := r.verb.Child("item")
	content, ok := payload(r.stanza, r.iq.Payload, r.verb, item)
	if !ok {
		return errInvalidItem
	}
	it := Item{ID: item.Attr("id"), Payload: content}
	if it.ID == "" {
		it.ID = newUUID()
	}
	if r.node.cfg.ExposePublisher {
		it.Publisher = bare(r.jid)
	}
	p.publish(r.node, it)
	r.replyPubSub("<publish" + attr("node", r.node.name) + "><item" + attr("id", it.ID) + "/></publish>")
	return nil
}

func (p *service) handleRetract(r request) error {
	if !r.node.mayPublish(bare(r.jid)) {
		return errForbidden
	}
	notify := r.verb.Attr("notify")
	if !p.retract(r.node, r.verb.Child("item").Attr("id"), notify == "1" || notify == "true") {
		return errNotFound
	}
	r.reply("")
	return nil
}
