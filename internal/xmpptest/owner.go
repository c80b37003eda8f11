package xmpptest

// handleCreate makes a node, whose only publisher is the client. It makes up a
// name if the client leaves that to it.
func (p *service) handleCreate(r request) error {
	name := r.verb.Attr("node")
	if name == "" {
		name = newUUID()
	}
	if p.nodes[name] != nil {
		return errConflict
	}
	n := p.create(name, NodeConfig{Publishers: []string{bare(r.jid)}, Members: []string{bare(r.jid)}})
	n.apply(r.iq.Payload.Child("configure").Child("x"))
	r.replyPubSub("<create" + attr("node", name) + "/>")
	return nil
}

func (p *service) handleConfigureForm(r request) error {
	if !r.node.mayPublish(bare(r.jid)) {
		return errForbidden
	}
	r.reply("<pubsub xmlns='" + nsPubSub + "#owner'><configure" + attr("node", r.node.name) + ">" +
		r.node.form("form", "node_config") + "</configure></pubsub>")
	return nil
}

func (p *service) handleConfigure(r request) error {
	return p.own(r, func(n *node) {
		n.apply(r.verb.Child("x"))
		p.configured(n)
	})
}

func (p *service) handlePurge(r request) error { return p.own(r, p.purge) }

func (p *service) handleDelete(r request) error { return p.own(r, p.remove) }

// own does what only those may who administer the node.
func (p *service) own(r request, do func(*node)) error {
	if !r.node.mayPublish(bare(r.jid)) {
		return errForbidden
	}
	do(r.node)
	r.reply("")
	return nil
}
