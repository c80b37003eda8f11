package xmppclient

import (
	"encoding/xml"
	"time"
)

// A Kind says what an [Event] reports (XEP-0060 §7, §8, §12).
type Kind int

const (
	// Published: Item was published, anew or in place of one with its ID.
	Published Kind = iota
	// Retracted: the item with the ID of Item is gone.
	Retracted
	// Purged: all items of the node are gone.
	Purged
	// Deleted: the node is gone, and the subscription with it.
	Deleted
	// Configured: the configuration of the node changed.
	Configured
	// SubscriptionChanged: our subscription is now what Subscription says. If
	// it is not "subscribed", the Client has forgotten the node.
	SubscriptionChanged
)

// An Event is what a subscribed node notified.
type Event struct {
	Node Node
	Kind Kind
	Item Item // of Published and Retracted

	// Subscription is "subscribed", "pending", "unconfigured" or "none".
	Subscription string

	// Delayed is when the event happened, if the service says that it sends it
	// late (XEP-0203): an item that was published before we subscribed, or
	// while we were away. It is zero for what happens now.
	Delayed time.Time

	// Received is when the event was read.
	Received time.Time
}

// An Item is one entry of a node.
type Item struct {
	ID        string
	Publisher string // the JID that published it, where the service tells
	Payload   string // XML that is well formed and stands on its own; may be empty

	// Fingerprint is the same for payloads that mean the same as XML, on every
	// server and in every process, and most likely different for any other. It
	// is 0 only if the item came without a payload. One that Err keeps from
	// being told has one all the same.
	Fingerprint uint64

	// Err says why Payload is empty although there is one: it is over the
	// limit, or cannot be written as XML. Only this item is concerned.
	Err error
}

// An eventDecoder reads notifications. It belongs to the goroutine that reads
// the stream, and is made to be used again.
type eventDecoder struct {
	payload payloadEncoder
	events  []Event
}

// decode reads the message that is open in r, which comes from service, to its
// end, and returns its events; they are valid until the next call. An error
// means that the stream is broken.
func (d *eventDecoder) decode(r *reader, service string) ([]Event, error) {
	d.events = d.events[:0]
	d.payload.inherited, d.payload.renamed = nsPubSubEvent, nsPubSub
	var delayed time.Time
	err := r.children(func(start xml.StartElement) error {
		switch start.Name {
		case xml.Name{Space: nsPubSubEvent, Local: "event"}:
			return d.event(r, service)
		case xml.Name{Space: nsDelay, Local: "delay"}:
			// A stamp that cannot be read (XEP-0082) still says "not now".
			delayed = time.Unix(0, 0)
			if t, err := time.Parse(time.RFC3339, attr(start, "stamp")); err == nil {
				delayed = t
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range d.events {
		d.events[i].Delayed, d.events[i].Received = delayed, now
	}
	return d.events, nil
}

func (d *eventDecoder) event(r *reader, service string) error {
	return r.children(func(start xml.StartElement) error {
		if start.Name.Space != nsPubSubEvent {
			return nil
		}
		ev := Event{Node: Node{Service: service, Name: attr(start, "node")}}
		switch start.Name.Local {
		case "items":
			return d.items(r, ev)
		case "purge":
			ev.Kind = Purged
		case "delete":
			ev.Kind = Deleted
		case "configuration":
			ev.Kind = Configured
		case "subscription":
			ev.Kind, ev.Subscription = SubscriptionChanged, attr(start, "subscription")
		default:
			return nil
		}
		d.events = append(d.events, ev)
		return nil
	})
}

func (d *eventDecoder) items(r *reader, ev Event) error {
	return r.children(func(start xml.StartElement) error {
		if start.Name.Space != nsPubSubEvent {
			return nil
		}
		ev := ev
		switch start.Name.Local {
		case "item":
			item, broken := decodeItem(r, start, &d.payload)
			if broken != nil {
				return broken
			}
			ev.Kind, ev.Item = Published, item
		case "retract":
			ev.Kind, ev.Item.ID = Retracted, attr(start, "id")
		default:
			return nil
		}
		d.events = append(d.events, ev)
		return nil
	})
}

// decodeItem reads the item element that is open in r.
func decodeItem(r *reader, start xml.StartElement, e *payloadEncoder) (Item, error) {
	item := Item{ID: attr(start, "id"), Publisher: attr(start, "publisher")}
	if err := e.encode(r); err != nil {
		return Item{}, err
	}
	item.Payload, item.Err = e.result()
	item.Fingerprint = e.print.sum()
	return item, nil
}
