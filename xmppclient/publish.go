package xmppclient

import (
	"context"
	"encoding/xml"
)

// Publish publishes an item at n (XEP-0060 §7.1) and returns its id, which the
// service makes if item has none. A payload that is not well-formed XML is an
// error and is not sent. Of item, only ID and Payload count.
func (c *Client) Publish(ctx context.Context, n Node, item Item) (id string, err error) {
	const op = "publishing at"
	payload, err := wellFormed(item.Payload)
	if err != nil {
		return "", attempt(op, n, err)
	}
	element := "<item>"
	if item.ID != "" {
		element = "<item id='" + escape(item.ID) + "'>"
	}
	made := item.ID // of the reading goroutine, unless the request succeeded
	s, err := c.current()
	if err == nil {
		err = s.request(ctx, "set", n.Service,
			pubsub("publish", [][2]string{{"node", n.Name}}, element+payload+"</item>"),
			func(r *reader) error {
				return r.child(nsPubSub, "pubsub", func(xml.StartElement) error {
					return r.child(nsPubSub, "publish", func(xml.StartElement) error {
						return r.child(nsPubSub, "item", func(start xml.StartElement) error {
							made = attr(start, "id")
							return nil
						})
					})
				})
			})
	}
	if err != nil {
		return "", attempt(op, n, err)
	}
	return made, nil
}

// Retract deletes the item with the id from n (XEP-0060 §7.2) and asks for its
// subscribers to be told.
func (c *Client) Retract(ctx context.Context, n Node, id string) error {
	s, err := c.current()
	if err == nil {
		err = s.request(ctx, "set", n.Service, pubsub("retract",
			[][2]string{{"node", n.Name}, {"notify", "true"}}, "<item id='"+escape(id)+"'/>"), nil)
	}
	return attempt("retracting an item from", n, err)
}
