package caddymodule

import (
	"errors"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// This file is how a node comes to know its access model (XEP-0060 §4.5), which
// has to be open for streams of handlers that have no list of nodes.

const (
	// accessFor is how long an access model is believed when a stream begins.
	accessFor = time.Minute
	// askAfter is after what time a service that failed to tell it is asked
	// again, for streams that wait for it.
	askAfter = 15 * time.Second
)

// confirm returns nil if the access model is open. It asks the service unless
// it told, or failed to tell, a moment ago. account.mu must be held.
func (n *node) confirm() error {
	switch {
	case time.Since(n.accessAt) < accessFor && n.access == "open":
		return nil
	case time.Since(n.accessAt) < accessFor:
		return errNotOpen
	case n.accessErr != nil && time.Since(n.askedAt) < askAfter:
		return n.accessErr
	}
	n.askAccess()
	return errPending
}

// askAccess asks the service for the access model, unless that is being done.
// account.mu must be held.
func (n *node) askAccess() {
	if n.asking {
		return
	}
	n.asking, n.askedAt = true, time.Now()
	a, doubts := n.account, n.doubts
	a.running.Go(func() {
		info, err := a.client.NodeInfo(n.followed, n.id)
		a.mu.Lock()
		defer a.mu.Unlock()
		n.asking = false
		if n.doubts == doubts {
			n.noteAccess(info.AccessModel, err)
		}
		n.tell() // and who still has to know asks again
	})
}

// noteAccess notes what the service said about the access model. Nobody who
// needs it to be open can go on if the service knows of none, while the
// subscription may stand for others. account.mu must be held.
func (n *node) noteAccess(model string, err error) {
	n.accessErr = nil
	switch {
	case err == nil && model != "":
		n.access, n.accessAt = model, time.Now()
	case errors.Is(err, xmppclient.ErrDisconnected):
		n.accessErr = errHeld
	case n.mayRecover(err):
		n.accessErr = err
	case err != nil && !n.wanted, isGone(err):
		n.end(err)
	default:
		n.access, n.accessAt = "unknown", time.Now()
	}
}

// isGone reports whether a service said that it has no such node. ejabberd does
// not tell subscribers of a node that it is deleted unless the node wants it.
func isGone(err error) bool {
	var e *xmppclient.Error
	return errors.As(err, &e) && e.Condition == "item-not-found"
}

// doubtAccess makes sure that the access model is asked for before anything more
// is shown, since it may have changed. account.mu must be held.
func (n *node) doubtAccess() {
	n.doubts++
	n.accessAt, n.accessErr = time.Time{}, nil
	n.look()
}
