package xmppclient

import (
	"context"
	"encoding/xml"
	"strconv"
)

// Items returns the items that the service retains for n (XEP-0060 §6.5), in
// the order in which it sends them, which is the oldest first: by their last
// publication on Prosody, by their first on ejabberd. If max is not 0, only
// the newest max are asked for.
func (c *Client) Items(ctx context.Context, n Node, max int) ([]Item, error) {
	attrs := [][2]string{{"node", n.Name}}
	if max > 0 {
		attrs = append(attrs, [2]string{"max_items", strconv.Itoa(max)})
	}
	return c.items(ctx, n, pubsub("items", attrs, ""))
}

// ItemsByID returns those of the items with the ids that n has (XEP-0060
// §6.5.8).
func (c *Client) ItemsByID(ctx context.Context, n Node, ids ...string) ([]Item, error) {
	var wanted []byte
	for _, id := range ids {
		wanted = append(appendAttr(append(wanted, "<item id='"...), id), "'/>"...)
	}
	return c.items(ctx, n, pubsub("items", [][2]string{{"node", n.Name}}, string(wanted)))
}

func (c *Client) items(ctx context.Context, n Node, payload string) ([]Item, error) {
	var items []Item // of the reading goroutine, unless the request succeeded
	e := payloadEncoder{limit: int(c.maxEvent.Load())}
	s, err := c.current()
	if err == nil {
		err = s.request(ctx, "get", n.Service, payload, func(r *reader) error {
			return r.child(nsPubSub, "pubsub", func(xml.StartElement) error {
				return r.child(nsPubSub, "items", func(xml.StartElement) error {
					return r.child(nsPubSub, "item", func(start xml.StartElement) error {
						item, broken := decodeItem(r, start, &e)
						items = append(items, item)
						return broken
					})
				})
			})
		})
	}
	if err != nil {
		// What came of a reply that broke off is nothing to build upon.
		return nil, attempt("getting the items of", n, err)
	}
	return items, nil
}
