package xmppclient

import (
	"context"
	"encoding/xml"
)

// A NodeEntry is one node in the list of a service.
type NodeEntry struct {
	Node  Node
	Title string // may be empty
}

// Nodes returns the nodes that a service lists (XEP-0060 §5.2), in its order.
// Servers list nodes that not everybody may read, too.
func (c *Client) Nodes(ctx context.Context, service string) ([]NodeEntry, error) {
	var nodes []NodeEntry // of the reading goroutine, unless the request succeeded
	s, err := c.current()
	if err == nil {
		err = s.request(ctx, "get", service, "<query xmlns='"+nsDiscoItems+"'/>", func(r *reader) error {
			return r.child(nsDiscoItems, "query", func(xml.StartElement) error {
				return r.child(nsDiscoItems, "item", func(start xml.StartElement) error {
					if name := attr(start, "node"); name != "" {
						nodes = append(nodes, NodeEntry{Node{service, name}, attr(start, "name")})
					}
					return nil
				})
			})
		})
	}
	if err != nil {
		return nil, attempt("listing the nodes of", Node{Service: service}, err)
	}
	return nodes, nil
}

// NodeInfo is what a service tells about a node (XEP-0060 §5.3, §5.4). What it
// does not tell is empty.
type NodeInfo struct {
	Type        string // "leaf" or "collection"
	AccessModel string // "open", "presence", "roster", "authorize" or "whitelist"
	Title       string
	Description string
}

// NodeInfo asks for what the service tells about n.
func (c *Client) NodeInfo(ctx context.Context, n Node) (NodeInfo, error) {
	var info NodeInfo // of the reading goroutine, unless the request succeeded
	s, err := c.current()
	if err == nil {
		query := "<query xmlns='" + nsDiscoInfo + "' node='" + escape(n.Name) + "'/>"
		err = s.request(ctx, "get", n.Service, query, func(r *reader) error {
			return r.child(nsDiscoInfo, "query", func(xml.StartElement) error {
				return r.children(func(start xml.StartElement) error { return info.decode(r, start) })
			})
		})
	}
	if err != nil {
		return NodeInfo{}, attempt("asking about", n, err)
	}
	return info, nil
}

func (info *NodeInfo) decode(r *reader, start xml.StartElement) error {
	switch start.Name {
	case xml.Name{Space: nsDiscoInfo, Local: "identity"}:
		if attr(start, "category") == "pubsub" {
			info.Type = attr(start, "type")
		}
	case xml.Name{Space: nsData, Local: "x"}:
		return r.child(nsData, "field", func(field xml.StartElement) error {
			dst := info.field(attr(field, "var"))
			if dst == nil {
				return nil
			}
			return r.child(nsData, "value", func(xml.StartElement) (err error) {
				*dst, err = r.text()
				return err
			})
		})
	}
	return nil
}

// field returns where the value of a field of the meta-data form goes.
func (info *NodeInfo) field(name string) *string {
	switch name {
	case "pubsub#access_model":
		return &info.AccessModel
	case "pubsub#title":
		return &info.Title
	case "pubsub#description":
		return &info.Description
	}
	return nil
}
