package xmppclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrDisconnected means that there is no session, or that it ended before
	// the answer came.
	ErrDisconnected = errors.New("not connected to the XMPP server")

	// ErrTimeout means that the service did not answer in time.
	ErrTimeout = errors.New("the service did not answer in time")

	// ErrRejected means that the server refused the account's credentials.
	ErrRejected = errors.New("the XMPP server rejected the account")
)

// An Error is what a service answered in place of a result (RFC 6120 §8.3).
type Error struct {
	Op   string // what was attempted, such as "subscribing to node"
	Node Node   // on what; Name is empty if it was the service itself

	Type      string // "auth", "cancel", "continue", "modify" or "wait"
	Condition string // the stanza error condition, such as "item-not-found"
	Detail    string // the condition of XEP-0060 §12.6, such as "closed-node", if there is one
	Text      string // for humans, if there is any
}

// Error names the condition and the text that the service gave.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Condition)
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	if e.Text != "" {
		fmt.Fprintf(&b, ": %s", e.Text)
	}
	return b.String()
}

// Temporary reports whether the attempt that failed with err may succeed
// later, as it stands: the link was down, the service did not answer, or it
// said so itself.
func Temporary(err error) bool {
	if errors.Is(err, ErrDisconnected) || errors.Is(err, ErrTimeout) || errors.Is(err, context.Canceled) {
		return true
	}
	var e *Error
	return errors.As(err, &e) && (e.Type == "wait" || e.Condition == "remote-server-timeout")
}

// Unreachable reports whether a request failed with err since the service is
// not there: it does not exist, or is being restarted.
func Unreachable(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Condition == "service-unavailable" || e.Condition == "remote-server-not-found" || e.Condition == "remote-server-timeout")
}

// attempt wraps err, if it is one, with what was attempted on which node.
func attempt(op string, n Node, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.Op == "" { // or it is somebody else's by now
		e.Op, e.Node = op, n
	}
	if n.Name == "" {
		return fmt.Errorf("%s %s: %w", op, n.Service, err)
	}
	return fmt.Errorf("%s node %q at %s: %w", op, n.Name, n.Service, err)
}
