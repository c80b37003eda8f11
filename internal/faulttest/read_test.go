package faulttest

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	nsPubSub = "http://jabber.org/protocol/pubsub"
	nsOurs   = "urn:faulttest"
)

// payload returns the payload of an item, with a mark, and with a line end that
// a stream has to carry.
func payload(mark string) string {
	return "<e xmlns='" + nsOurs + "' mark='" + mark + "'>some\ntext</e>"
}

// A mark is the node's name, a dot, and a number or "end". So is an item's id.
func markOf(node string, n int) string { return node + "." + strconv.Itoa(n) }

func endMark(node string) string { return node + ".end" }

// glance finds the node that an event is about, and the number in its mark, or
// -1, without reading all of it: streams have to keep up. What it finds is not
// trusted: read is the judge.
func glance(m message) (node string, n int, end bool) {
	if m.name == "gap" || m.name == "subscription" || m.name == "purge" {
		return attribute(m.data, "node"), -1, false
	}
	mark := attribute(m.data, "mark")
	if mark == "" {
		mark = attribute(m.data, "id")
	}
	node, number, _ := strings.Cut(mark, ".")
	n, err := strconv.Atoi(number)
	if err != nil || m.name != "message" {
		n = -1
	}
	return node, n, number == "end"
}

// attribute returns the value of the first attribute, or member, of that name.
func attribute(data, name string) string {
	for _, before := range []string{name + `='`, name + `="`, `"` + name + `":"`} {
		if _, rest, ok := strings.Cut(data, before); ok {
			value, _, _ := strings.Cut(rest, before[len(before)-1:])
			return value
		}
	}
	return ""
}

// read returns what an event says about the node to a stream that follows one
// node or several. It is nil for what is of no interest.
func read(m message, node string, several bool) *entry {
	var e entry
	var err error
	switch m.name {
	case "message", "retract":
		e, err = readItem(m, node, several)
	case "gap":
		e, err = readGap(m, node)
	case "purge":
		e.what = purge // of that node, as glance has found
	case "subscription":
		if attribute(m.data, "subscription") == "subscribed" {
			return nil
		}
		err = errors.New("not subscribed")
	default:
		err = errors.New("unexpected")
	}
	if err != nil {
		return &entry{what: odd, reason: fmt.Sprintf("event %q with %.300q: %v", m.name, m.data, err)}
	}
	return &e
}

// An element is any one of an event.
type element struct {
	XMLName xml.Name
	ID      string    `xml:"id,attr"`
	Node    string    `xml:"node,attr"`
	Mark    string    `xml:"mark,attr"`
	Text    string    `xml:",chardata"`
	Inner   []element `xml:",any"`
}

func readItem(m message, node string, several bool) (entry, error) {
	var root element
	d := xml.NewDecoder(strings.NewReader(m.data))
	if err := d.Decode(&root); err != nil {
		return entry{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return entry{}, errors.New("something follows")
	}
	if several {
		if root.XMLName.Local != "items" || len(root.Inner) != 1 || root.Node != node {
			return entry{}, fmt.Errorf("not <items node='%s'> with one element", node)
		}
		root = root.Inner[0]
	}
	if !strings.HasPrefix(root.ID, node+".") {
		return entry{}, fmt.Errorf("not of the node %q", node)
	}
	if m.name == "retract" {
		if root.XMLName.Local != "retract" || len(root.Inner) > 0 {
			return entry{}, errors.New("not <retract/>")
		}
		return entry{what: retract, id: root.ID}, nil
	}
	return itemEntry(root)
}

func itemEntry(root element) (entry, error) {
	if root.XMLName != (xml.Name{Space: nsPubSub, Local: "item"}) || len(root.Inner) != 1 {
		return entry{}, errors.New("not <item> with one element")
	}
	e := root.Inner[0]
	if e.XMLName != (xml.Name{Space: nsOurs, Local: "e"}) || e.Text != "some\ntext" {
		return entry{}, errors.New("not the payload that is published")
	}
	return entry{what: item, id: root.ID, mark: e.Mark}, nil
}

func readGap(m message, node string) (entry, error) {
	var g struct{ Node, Reason string }
	if err := json.Unmarshal([]byte(m.data), &g); err != nil {
		return entry{}, err
	}
	if g.Node != node || g.Reason == "" {
		return entry{}, fmt.Errorf("not of the node %q, or without a reason", node)
	}
	return entry{what: gap, reason: g.Reason}, nil
}

// idFault tells what is wrong with a last event ID, or "". Clients crash on
// what is not visible ASCII.
func idFault(id string) string {
	switch {
	case id == "":
		return "an event has no id"
	case strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }):
		return fmt.Sprintf("the id %q is not visible ASCII", id)
	case len(id) > 4096:
		return fmt.Sprintf("an id of %d bytes", len(id))
	}
	return ""
}
