package xmpptest

import (
	"crypto/rand"
	"slices"
	"strconv"
	"time"
)

// NodeConfig describes a node. Zero fields mean what Prosody does by default.
type NodeConfig struct {
	Title       string
	AccessModel string   // open, whitelist, presence, roster or authorize. Default: open.
	Members     []string // Bare JIDs whom any access model admits.
	Publishers  []string // Bare JIDs who may publish to the node and administer it. Default: everybody.
	MaxItems    int      // How many items are kept. The oldest go silently. Default: 20.
	InPlace     bool     // An item published again stays where it was, as with ejabberd, in place of becoming the newest.
	Transient   bool     // Items are not kept, nor can they be asked for.
	SendLast    bool     // A new subscriber is sent the last item.
	SubID       bool     // Subscriptions have a subid.

	// As ejabberd does, who subscribes, even again, is sent the last item with
	// its time before the result. SendLast does not matter then.
	SendLastBeforeResult bool

	NotifyConfig    bool // A change of AccessModel is an event.
	ExposePublisher bool // Items published by a client name it.
}

func (c NodeConfig) withDefaults() NodeConfig {
	if c.AccessModel == "" {
		c.AccessModel = "open"
	}
	if c.MaxItems == 0 {
		c.MaxItems = 20
	}
	return c
}

// Item is a published item.
type Item struct {
	ID        string
	Publisher string // empty unless the node exposes it
	Payload   string // XML
	published time.Time
}

// xml returns the item as it is written.
func (it Item) xml() string {
	start := "<item" + attr("id", it.ID) + attrIf("publisher", it.Publisher)
	if it.Payload == "" {
		return start + "/>"
	}
	return start + ">" + it.Payload + "</item>"
}

// node is guarded by the service's mutex.
type node struct {
	name  string
	cfg   NodeConfig
	items []Item                   // in the order in which they are listed
	subs  map[string]*subscription // by JID, full or bare
}

type subscription struct {
	state string // subscribed or pending
	id    string // may be empty
}

func (n *node) find(id string) int {
	return slices.IndexFunc(n.items, func(it Item) bool { return it.ID == id })
}

// keep stores it, in place of one with the same id.
func (n *node) keep(it Item) {
	if n.cfg.Transient {
		return
	}
	i := n.find(it.ID)
	if i >= 0 && n.cfg.InPlace {
		n.items[i] = it
		return
	}
	if i >= 0 {
		n.items = slices.Delete(n.items, i, i+1)
	}
	n.items = append(n.items, it)
	if extra := len(n.items) - n.cfg.MaxItems; extra > 0 {
		n.items = slices.Delete(n.items, 0, extra)
	}
}

// last returns the item that was published last, if there is any.
func (n *node) last() (last Item, ok bool) {
	for _, it := range n.items {
		if !it.published.Before(last.published) {
			last, ok = it, true
		}
	}
	return last, ok
}

// subscribe adds or finds the subscription of jid.
func (n *node) subscribe(jid, state string) *subscription {
	sub := n.subs[jid]
	if sub == nil {
		sub = &subscription{state: state}
		if n.cfg.SubID {
			sub.id = rand.Text()[:12]
		}
		n.subs[jid] = sub
	}
	return sub
}

// subscriptionXML returns what a subscription is written as.
func (n *node) subscriptionXML(jid, state, id string) string {
	return "<subscription" + attr("node", n.name) + attr("jid", jid) + attr("subscription", state) + attrIf("subid", id) + "/>"
}

// access returns the error that a request of the bare JID account meets.
func (n *node) access(account string) error {
	if slices.Contains(n.cfg.Members, account) {
		return nil
	}
	switch n.cfg.AccessModel {
	case "open":
		return nil
	case "presence":
		return StanzaError{"auth", "not-authorized", "presence-subscription-required"}
	case "roster":
		return StanzaError{"auth", "not-authorized", "not-in-roster-group"}
	}
	return errForbidden
}

// mayPublish tells whether the bare JID account may change the node.
func (n *node) mayPublish(account string) bool {
	return n.cfg.Publishers == nil || slices.Contains(n.cfg.Publishers, account)
}

// form returns the node's configuration as a data form of this type.
func (n *node) form(typ, formType string) string {
	field := func(name, value string) string {
		return "<field" + attr("var", name) + "><value>" + escape(value) + "</value></field>"
	}
	persist := "1"
	if n.cfg.Transient {
		persist = "0"
	}
	return "<x xmlns='jabber:x:data'" + attr("type", typ) + "><field var='FORM_TYPE' type='hidden'><value>" +
		nsPubSub + "#" + formType + "</value></field>" +
		field("pubsub#title", n.cfg.Title) + field("pubsub#access_model", n.cfg.AccessModel) +
		field("pubsub#max_items", strconv.Itoa(n.cfg.MaxItems)) + field("pubsub#persist_items", persist) + "</x>"
}

// apply sets what a submitted form sets.
func (n *node) apply(form Element) {
	for _, f := range form.Children {
		value := f.Child("value").Text
		switch f.Attr("var") {
		case "pubsub#title":
			n.cfg.Title = value
		case "pubsub#access_model":
			n.cfg.AccessModel = value
		case "pubsub#max_items":
			if max, err := strconv.Atoi(value); err == nil && max > 0 {
				n.cfg.MaxItems = max
			}
		case "pubsub#persist_items":
			n.cfg.Transient = value == "0" || value == "false"
		case "pubsub#send_last_published_item":
			n.cfg.SendLast = value != "never"
		}
	}
}
