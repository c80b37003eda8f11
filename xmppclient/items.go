package xmppclient

import (
	"context"
	"encoding/xml"
	"errors"
	"strconv"
	"time"
)

// Retained is what a service retains of a node.
type Retained struct {
	// Items are the newest that are retained, in the order in which the service
	// sends them, which is the oldest first: by their last publication on
	// Prosody, by their first on ejabberd.
	Items []Item

	// Complete means that there are no older ones.
	Complete bool

	// Asked is when the service was asked. What OnEvent heard before that is in
	// Items, as far as it is still retained. What it heard since may be: ejabberd
	// answers with what there was when it began to.
	Asked time.Time

	// Err is why there are none: the node retains nothing, or the service does
	// not tell what.
	Err error
}

// Items returns the items that the service retains for n (XEP-0060 §6.5), in
// the order of [Retained]. If max is not 0, only the newest max are asked for.
func (c *Client) Items(ctx context.Context, n Node, max int) ([]Item, error) {
	got, err := c.items(ctx, n, pubsub("items", itemsAttrs(n, max), ""), history{items: max}, nil)
	return got.Items, err
}

// ItemsByID returns those of the items with the ids that n has (XEP-0060
// §6.5.8).
func (c *Client) ItemsByID(ctx context.Context, n Node, ids ...string) ([]Item, error) {
	var wanted []byte
	for _, id := range ids {
		wanted = append(appendAttr(append(wanted, "<item id='"...), id), "'/>"...)
	}
	got, err := c.items(ctx, n, pubsub("items", itemsAttrs(n, 0), string(wanted)), history{}, nil)
	return got.Items, err
}

func itemsAttrs(n Node, max int) [][2]string {
	attrs := [][2]string{{"node", n.Name}}
	if max > 0 {
		attrs = append(attrs, [2]string{"max_items", strconv.Itoa(max)})
	}
	return attrs
}

// tellItems asks what the service retains of n and calls OnItems with it. It
// returns an error if the service could not be asked, or has no such node.
func (c *Client) tellItems(ctx context.Context, n Node) error {
	if c.cfg.OnItems == nil {
		return nil
	}
	h := *c.history.Load()
	_, err := c.items(ctx, n, pubsub("items", itemsAttrs(n, h.items), ""), h, func(got Retained) {
		if got.Err == nil || isFinal(got.Err) {
			c.cfg.OnItems(n, got)
		}
	})
	if isFinal(err) {
		return nil
	}
	return err
}

// isFinal reports whether a service that answered err to who asked for the
// items of a node would do so again, although one can subscribe to it.
func isFinal(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Condition != "item-not-found" && !Temporary(err) && !Unreachable(err)
}

// items asks for items. heard, which may be nil, is called on the goroutine
// that reads the stream when the answer has come, before anything after it is
// read.
func (c *Client) items(ctx context.Context, n Node, payload string, bounds history, heard func(Retained)) (Retained, error) {
	const op = "getting the items of"
	s, err := c.current()
	if err != nil {
		return Retained{}, attempt(op, n, err)
	}
	d := itemsDecoder{session: s, bounds: bounds, payload: payloadEncoder{limit: int(c.maxEvent.Load())}}
	d.got.Complete = true
	rq := &request{to: n.Service, decode: d.decode}
	if heard != nil {
		rq.heard = func(outcome error) {
			if outcome != nil {
				d.got = Retained{Err: attempt(op, n, outcome)}
			}
			d.got.Asked = rq.asked
			heard(d.got)
		}
	}
	if err := s.do(ctx, "get", payload, rq); err != nil {
		// What came of a reply that broke off is nothing to build upon.
		return Retained{}, attempt(op, n, err)
	}
	return d.got, nil
}

// An itemsDecoder reads the answer to a request for items. It belongs to the
// goroutine that reads the stream until the request has succeeded.
type itemsDecoder struct {
	session *session
	bounds  history
	payload payloadEncoder
	bytes   int // of the payloads
	got     Retained
}

func (d *itemsDecoder) decode(r *reader) error {
	return r.child(nsPubSub, "pubsub", func(xml.StartElement) error {
		return r.child(nsPubSub, "items", func(xml.StartElement) error {
			return r.child(nsPubSub, "item", func(start xml.StartElement) error {
				item, broken := decodeItem(r, start, &d.payload)
				if broken == nil {
					d.add(item)
				}
				return broken
			})
		})
	})
}

// add adds an item, and drops the oldest that are over the bounds. All items of
// a node come as one stanza, of which only one at a time is held in memory.
func (d *itemsDecoder) add(item Item) {
	d.session.link.nextStanza()
	d.bytes += len(item.Payload)
	d.got.Items = append(d.got.Items, item)
	over := func() bool {
		return d.bounds.items > 0 && len(d.got.Items) > d.bounds.items || d.bounds.bytes > 0 && d.bytes > d.bounds.bytes
	}
	for len(d.got.Items) > 1 && over() {
		d.bytes -= len(d.got.Items[0].Payload)
		d.got.Items[0] = Item{} // which is still in the array
		d.got.Items = d.got.Items[1:]
		d.got.Complete = false
	}
	if len(d.got.Items) == d.bounds.items {
		d.got.Complete = false // there may be older ones that were not asked for
	}
}
