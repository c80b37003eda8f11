package caddymodule

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// A node is one that is followed: its events, the state of the subscription,
// and who may see it.
type node struct {
	account *account
	id      xmppclient.Node
	events  *eventstream.Log
	// audience has to hear when there is something new to read of events, of
	// state, or of admission.
	audience *delivery.Audience

	// What the data of an item is put between in a stream of several nodes.
	before, after string

	// Owned by the goroutine that reads the XMPP stream:
	filled       bool               // the log has what the service retained once
	settled      bool               // and nothing was missed since
	pending      []xmppclient.Event // wait until it is settled
	pendingBytes int
	recent       []touch // what happened within the last moments

	// calm says what state need not look at: for none, for some, or for all
	// streams. It is written with account.mu held.
	calm atomic.Int32

	// Guarded by account.mu:
	streams     int         // that watch it
	lingering   *time.Timer // forgets it; nil while it is watched
	wanted      bool        // a subscription was asked for
	standing    bool        // the subscription stands
	interrupted bool        // it stood once, and did not for a while
	ended       error       // why it is no longer followed
	subErr      error       // why the last attempt to subscribe failed, if it may yet succeed
	access      string      // the access model; empty until the service told it
	accessAt    time.Time   // when it did; zero if much may have changed since
	accessErr   error       // why it could not be told, if it may yet be
	doubts      int         // how often it had to be doubted: an answer from before is none
	forgetful   bool        // the service retains nothing of it, or does not tell what
	deleted     string      // tells the log of the node that was deleted before this one
	catching    catchUp
	asking      bool      // it is being asked for
	askedAt     time.Time // when it was asked for last

	followed context.Context // until nobody follows the node any more
	dismiss  context.CancelFunc
}

// newNode returns a node that is not followed yet. a.mu must be held.
func newNode(a *account, id xmppclient.Node) *node {
	n := &node{account: a, id: id, deleted: a.deleted[id], audience: a.engine.NewAudience()}
	n.before, n.after = startTag("items", "node", id.Name), "</items>"
	n.events = eventstream.NewLog(id.Service+"\x00"+id.Name, a.history, n.audience.Notify)
	n.followed, n.dismiss = context.WithCancel(a.living)
	return n
}

// A nodeState is what a stream that is fed has to know about its node.
type nodeState struct {
	link   xmppclient.Link
	access access
	ended  bool
}

// access is whether a stream may show the node's events.
type access int

const (
	granted access = iota
	denied
	unconfirmed // it was granted, but much may have changed since
)

// state returns the state for a stream that needs the access model to be open,
// or does not. It sees to it that what is unconfirmed is asked for.
func (n *node) state(openOnly bool) nodeState {
	if calm := n.calm.Load(); calm == calmForAll || calm == calmForListed && !openOnly {
		return nodeState{link: xmppclient.Up}
	}
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	state := nodeState{link: n.account.link, ended: n.ended != nil}
	switch {
	case !openOnly:
	case n.accessAt.IsZero():
		state.access = unconfirmed
		if n.standing {
			_ = n.confirm() // whatever comes of it, the audience hears
		}
	case n.access != "open":
		state.access = denied
	}
	return state
}

// What streams need not ask for: that the link is up, and that they may be shown
// what there is.
const (
	troubled      = iota
	calmForListed // for streams that do not need the access model to be open
	calmForAll
)

// look sets calm. account.mu must be held.
func (n *node) look() {
	switch {
	case n.account.link != xmppclient.Up, n.ended != nil:
		n.calm.Store(troubled)
	case n.accessAt.IsZero(), n.access != "open":
		n.calm.Store(calmForListed)
	default:
		n.calm.Store(calmForAll)
	}
}

// tell is called when the state changed, or what admission says. account.mu must
// be held.
func (n *node) tell() {
	n.look()
	n.audience.Notify()
}

// stopLingering takes back what leave planned. account.mu must be held.
func (n *node) stopLingering() {
	if n.lingering != nil {
		n.lingering.Stop()
		n.lingering = nil
	}
}

var (
	errPending = errors.New("it is being asked for")
	errNotOpen = errors.New("the access model of the node is not open")
)

// admission says whether a stream may begin. It sees to it that whatever is
// missing has been asked for, which is errPending.
func (n *node) admission(openOnly bool) error {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	return n.admit(openOnly)
}

// admit does the work of admission. account.mu must be held.
func (n *node) admit(openOnly bool) error {
	a := n.account
	switch {
	case n.ended != nil:
		return n.ended
	case a.link == xmppclient.Rejected:
		return a.linkErr
	case a.link == xmppclient.Down:
		return errHeld
	case a.link == xmppclient.Connecting:
		return errPending
	}
	var err error
	if openOnly {
		// Before anything else: to subscribe may be to create the node.
		err = n.confirm()
	}
	if err == nil {
		err = n.subscribed()
	}
	if n.interrupted && n.mayRecover(err) {
		return errHeld
	}
	return err
}

// subscribed returns nil if the subscription stands, and asks for it unless
// that was done. account.mu must be held.
func (n *node) subscribed() error {
	switch {
	case n.standing:
		return nil
	case n.subErr != nil:
		return n.subErr
	case !n.wanted:
		n.wanted = true
		n.account.client.Subscribe(n.id)
	}
	return errPending
}

// askAgain asks again, for a stream that comes anew, for a subscription that
// the client would ask for some time later. account.mu must be held.
func (n *node) askAgain() {
	if n.subErr != nil {
		n.subErr = nil
		n.account.client.Subscribe(n.id)
	}
}

// mayRecover reports whether what failed with err may work later. A service
// that was there is restarted, rather than gone. account.mu must be held.
func (n *node) mayRecover(err error) bool {
	stood := n.standing || n.interrupted
	return err != nil && (xmppclient.Temporary(err) || stood && xmppclient.Unreachable(err))
}

// onSubscription notes the outcome of an attempt to subscribe.
func (a *account) onSubscription(id xmppclient.Node, err error) {
	a.mu.Lock()
	n := a.nodes[id]
	refused := false
	switch {
	case n == nil, !n.wanted: // it concerns one that was forgotten
	case err == nil:
		n.stand()
	case errors.Is(err, xmppclient.ErrDisconnected):
		// The link is down, which is told elsewhere.
	case n.mayRecover(err):
		n.subErr = err
		n.tell()
	default:
		n.end(err)
		refused = true
	}
	a.mu.Unlock()
	if refused {
		a.log().Info("a node is refused", zap.Error(err))
	}
}

// stand is called when the subscription was made, or made again. account.mu
// must be held.
func (n *node) stand() {
	n.standing, n.interrupted, n.subErr = true, false, nil
	if n.access != "" {
		n.accessErr = nil // the service answers now
		_ = n.confirm()   // for streams that are open; whatever comes of it, they are told
	}
	n.tell()
}

// interrupt is called when there is a new session, and what the subscription
// brought meanwhile is lost. account.mu must be held.
func (n *node) interrupt() {
	n.interrupted = n.interrupted || n.standing
	n.standing, n.subErr = false, nil
	n.doubtAccess()
	n.unsettle()
	n.tell()
}

// goesOn is called when the session goes on after the link was lost. account.mu
// must be held.
func (n *node) goesOn() {
	n.accessErr = nil // the service can be asked again
	n.tell()
}

// isForgetful reports whether the service retains nothing of the node, or does
// not tell what.
func (n *node) isForgetful() bool {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	return n.forgetful
}

// setRetains notes whether the service retains items of the node.
func (n *node) setRetains(retains bool) {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	n.forgetful = !retains
}

// end is called when there is no subscription any more, nor will be. Streams
// that were fed learn that their access was taken away. account.mu must be
// held.
func (n *node) end(err error) {
	if n.ended != nil {
		return
	}
	if n.standing || n.interrupted {
		n.appendSubscription("none")
	}
	n.ended = err
	n.events.Close()
	n.stopLingering()
	n.account.forget(n)
	n.tell()
}
