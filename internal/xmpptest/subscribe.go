package xmpptest

func (p *service) handleSubscribe(r request) error {
	jid := r.verb.Attr("jid")
	switch {
	case jid == "":
		return errNoJID
	case bare(jid) != bare(r.jid):
		return errForbidden
	}
	n, state := r.node, "subscribed"
	if old := n.subs[jid]; old != nil && old.state == "pending" {
		return StanzaError{"auth", "not-authorized", "pending-subscription"}
	}
	if err := n.access(bare(jid)); err != nil {
		if n.cfg.AccessModel != "authorize" {
			return err
		}
		if n.subs[jid] == nil {
			state = "pending"
		}
	}
	isNew := n.subs[jid] == nil
	sub := n.subscribe(jid, state)
	if n.cfg.SendLastBeforeResult {
		p.sendLast(n, jid, true)
	}
	r.replyPubSub(n.subscriptionXML(jid, sub.state, sub.id))
	if isNew && n.cfg.SendLast && !n.cfg.SendLastBeforeResult {
		p.sendLast(n, jid, false)
	}
	return nil
}

// sendLast sends a subscriber the last item, if there is one, and on request
// when it was published. p.mu must be held.
func (p *service) sendLast(n *node, jid string, withTime bool) {
	last, ok := n.last()
	if !ok || n.subs[jid].state != "subscribed" {
		return
	}
	stamp := ""
	if withTime {
		stamp = delay("", last.published)
	}
	p.messageDelayed(jid, " type='headline'", "<items"+attr("node", n.name)+">"+last.xml()+"</items>", stamp)
}

func (p *service) handleUnsubscribe(r request) error {
	jid := r.verb.Attr("jid")
	switch {
	case jid == "":
		return errNoJID
	case bare(jid) != bare(r.jid):
		return errForbidden
	case r.node.subs[jid] == nil:
		return StanzaError{"modify", "unexpected-request", "not-subscribed"}
	}
	delete(r.node.subs, jid)
	r.reply("")
	return nil
}

// handleSubscriptions lists the account's subscriptions to one node.
func (p *service) handleSubscriptions(r request) error {
	list := ""
	for jid, sub := range r.node.subs {
		if bare(jid) == bare(r.jid) {
			list += r.node.subscriptionXML(jid, sub.state, sub.id)
		}
	}
	r.replyPubSub("<subscriptions" + attr("node", r.node.name) + ">" + list + "</subscriptions>")
	return nil
}
