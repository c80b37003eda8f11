package xmppclient

import (
	"context"
	"encoding/xml"
)

// subscribe subscribes our full JID to n (XEP-0060 §6.1), and returns the
// subscription's id if it has one. A subscription that waits for somebody's
// approval is taken back: nobody could say how long a stream had to wait.
func (c *Client) subscribe(ctx context.Context, n Node) (string, error) {
	const op = "subscribing to"
	s, err := c.current()
	if err != nil {
		return "", attempt(op, n, err)
	}
	// An empty result is a plain yes. Both are the reading goroutine's, unless
	// the request succeeded.
	state, subID := "subscribed", ""
	err = s.request(ctx, "set", n.Service,
		pubsub("subscribe", [][2]string{{"node", n.Name}, {"jid", s.jid}}, ""),
		func(r *reader) error {
			return r.child(nsPubSub, "pubsub", func(xml.StartElement) error {
				return r.child(nsPubSub, "subscription", func(start xml.StartElement) error {
					state, subID = attr(start, "subscription"), attr(start, "subid")
					return nil
				})
			})
		})
	if err != nil {
		return "", attempt(op, n, err)
	}
	if state != "subscribed" {
		err = &Error{Type: "auth", Condition: "not-authorized", Detail: state + "-subscription"}
		// Should this fail, events of the node will be strays, and dropped.
		_ = s.send("set", newID(), n.Service, s.unsubscribePayload(n, subID))
	}
	return subID, attempt(op, n, err)
}

// unsubscribe drops the subscription of our full JID to n (XEP-0060 §6.2).
func (c *Client) unsubscribe(ctx context.Context, n Node, subID string) error {
	s, err := c.current()
	if err == nil {
		err = s.request(ctx, "set", n.Service, s.unsubscribePayload(n, subID), nil)
	}
	return attempt("unsubscribing from", n, err)
}

func (s *session) unsubscribePayload(n Node, subID string) string {
	attrs := [][2]string{{"node", n.Name}, {"jid", s.jid}}
	if subID != "" {
		attrs = append(attrs, [2]string{"subid", subID})
	}
	return pubsub("unsubscribe", attrs, "")
}
