package servertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	nsPubSub     = "http://jabber.org/protocol/pubsub"
	nsOwner      = nsPubSub + "#owner"
	nsNodeConfig = nsPubSub + "#node_config"
)

// Item is an item to publish.
type Item struct {
	ID      string // "" lets the service choose
	Payload string // one XML element
}

// CreateNode creates a node of the pubsub service. The fields of its
// configuration have their full names, such as "pubsub#access_model"; those
// not given are the server's defaults.
func (c *Client) CreateNode(node string, config map[string]string) error {
	create := "<create" + attr("node", node) + "/>"
	if len(config) > 0 {
		create += "<configure>" + form(config) + "</configure>"
	}
	return c.set(nsPubSub, create)
}

// ConfigureNode changes the given fields of the node's configuration.
func (c *Client) ConfigureNode(node string, config map[string]string) error {
	return c.set(nsOwner, "<configure"+attr("node", node)+">"+form(config)+"</configure>")
}

// DeleteNode deletes the node.
func (c *Client) DeleteNode(node string) error {
	return c.set(nsOwner, "<delete"+attr("node", node)+"/>")
}

// PurgeNode removes all items of the node.
func (c *Client) PurgeNode(node string) error {
	return c.set(nsOwner, "<purge"+attr("node", node)+"/>")
}

// Publish publishes an item, whose payload is one XML element. With an id of ""
// the service chooses one.
func (c *Client) Publish(node, id, payloadXML string) error {
	return c.set(nsPubSub, publish(node, Item{ID: id, Payload: payloadXML}))
}

// PublishAll publishes the items in their order, without waiting for the answer
// to one before it sends the next. It returns when all are answered, with the
// first error.
func (c *Client) PublishAll(node string, items []Item) error {
	answers := make([]<-chan stanza, len(items))
	for i, item := range items {
		var err error
		if answers[i], err = c.sendIQ(service, "set", pubsub(nsPubSub, publish(node, item))); err != nil {
			return err
		}
	}
	var first error
	for i, answer := range answers {
		if _, err := await(answer); err != nil && first == nil {
			first = fmt.Errorf("publishing item %d: %w", i, err)
		}
	}
	return first
}

// Retract removes an item. With notify the subscribers are told.
func (c *Client) Retract(node, id string, notify bool) error {
	return c.set(nsPubSub, fmt.Sprintf("<retract%s notify='%t'><item%s/></retract>", attr("node", node), notify, attr("id", id)))
}

// SetAffiliation makes jid "member", "outcast", "none" and so on.
func (c *Client) SetAffiliation(node, jid, affiliation string) error {
	return c.set(nsOwner, "<affiliations"+attr("node", node)+"><affiliation"+attr("jid", jid)+attr("affiliation", affiliation)+"/></affiliations>")
}

// SetSubscription sets the state of the subscription of jid: "subscribed", "none"
// and so on.
func (c *Client) SetSubscription(node, jid, subscription string) error {
	return c.set(nsOwner, "<subscriptions"+attr("node", node)+"><subscription"+attr("jid", jid)+attr("subscription", subscription)+"/></subscriptions>")
}

// Items returns the <items/> element of the node, with all items it has, as the
// server sent it.
func (c *Client) Items(node string) (string, error) {
	return c.IQ(service, "get", pubsub(nsPubSub, "<items"+attr("node", node)+"/>"))
}

// set sends a request whose answer tells nothing but success.
func (c *Client) set(namespace, request string) error {
	_, err := c.IQ(service, "set", pubsub(namespace, request))
	return err
}

func pubsub(namespace, request string) string {
	return "<pubsub" + attr("xmlns", namespace) + ">" + request + "</pubsub>"
}

func publish(node string, item Item) string {
	return "<publish" + attr("node", node) + "><item" + attr("id", item.ID) + ">" + item.Payload + "</item></publish>"
}

// form returns a filled-in form with the configuration of a node.
func form(config map[string]string) string {
	var b strings.Builder
	field := func(name, value string) {
		b.WriteString("<field" + attr("var", name) + "><value>" + escape(value) + "</value></field>")
	}
	b.WriteString("<x xmlns='jabber:x:data' type='submit'>")
	field("FORM_TYPE", nsNodeConfig)
	for _, name := range slices.Sorted(maps.Keys(config)) {
		field(name, config[name])
	}
	b.WriteString("</x>")
	return b.String()
}
