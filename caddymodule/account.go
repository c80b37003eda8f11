package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// accounts are the XMPP sessions of all configs, by what makes them the same.
// They outlive a reload if the next config has them, too.
var accounts = caddy.NewUsagePool()

// An account is one XMPP session, the nodes that are followed in it, and what
// became of them. Handlers and streams share it.
type account struct {
	name   []zap.Field // for the log
	client *xmppclient.Client
	engine *delivery.Engine

	living  context.Context // until Destruct
	die     context.CancelFunc
	start   func()         // logs in, at the first call
	running sync.WaitGroup // what runs until living ends

	mu       sync.Mutex // guards the following fields
	maxEvent int64
	history  eventstream.Bounds // of each node
	link     xmppclient.Link
	linkErr  error // why the link is not up
	nodes    map[xmppclient.Node]*node
	deleted  map[xmppclient.Node]string // what told the logs of nodes that were deleted
}

// loadAccount takes a hold on the account, which is made if there is none.
func loadAccount(cfg accountConfig) (*account, error) {
	value, _, err := accounts.LoadOrNew(cfg.key, func() (caddy.Destructor, error) { return newAccount(cfg.client) })
	if err != nil {
		return nil, err
	}
	return value.(*account), nil
}

// newAccount returns an account that is yet to be started.
func newAccount(cfg xmppclient.Config) (*account, error) {
	a := &account{
		name:  []zap.Field{zap.Stringer("account", cfg.Account.Bare()), zap.String("server", cfg.Server)},
		nodes: make(map[xmppclient.Node]*node),

		deleted: make(map[xmppclient.Node]string),
	}
	cfg.OnLink = a.onLink
	cfg.OnEvent = a.onEvent
	cfg.OnItems = a.onItems
	cfg.OnSubscription = a.onSubscription
	cfg.OnFault = func(err error) { a.log().Error("handling what the XMPP server sent", zap.Error(err)) }
	client, err := xmppclient.New(cfg)
	if err != nil {
		return nil, err
	}
	a.client = client
	if a.engine, err = loadEngine(); err != nil {
		return nil, err
	}
	a.living, a.die = context.WithCancel(context.Background())
	a.start = sync.OnceFunc(func() { a.running.Go(func() { client.Run(a.living) }) })
	return a, nil
}

// log returns a logger of the config that runs now: the account may be older.
func (a *account) log() *zap.Logger {
	return caddy.Log().Named("http.handlers.pubsub_eventsource").With(a.name...)
}

// raiseLimits makes sure that events of n bytes are accepted, and that so much is
// kept of each node.
func (a *account) raiseLimits(n int64, history eventstream.Bounds) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.maxEvent {
		a.maxEvent = n
		a.client.SetMaxEvent(int(n))
	}
	raised := eventstream.Bounds{Events: max(a.history.Events, history.Events), Bytes: max(a.history.Bytes, history.Bytes)}
	if raised != a.history {
		a.history = raised
		a.client.SetHistory(raised.Events, int(raised.Bytes))
		for _, n := range a.nodes {
			n.events.SetBounds(raised)
		}
	}
}

// Destruct logs the account out and waits until it is, for a few seconds at
// most. It is called when no handler and no stream has a hold on it.
func (a *account) Destruct() error {
	a.die()
	a.running.Wait()
	a.mu.Lock()
	for _, n := range a.nodes {
		n.stopLingering()
	}
	a.mu.Unlock()
	_, err := engines.Delete("")
	return err
}

// onLink notes that the link changed.
func (a *account) onLink(link xmppclient.Link, err error) {
	switch link {
	case xmppclient.Up:
		a.log().Info("logged in to the XMPP server")
	case xmppclient.Resumed:
		a.log().Info("resumed the session at the XMPP server")
	case xmppclient.Rejected:
		a.log().Error("the XMPP server rejects the account; will try again rarely", zap.Error(err))
	default:
		a.log().Warn("no link to the XMPP server; will try again", zap.Error(err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	change := (*node).tell
	switch link {
	case xmppclient.Up:
		change = (*node).interrupt
	case xmppclient.Resumed:
		link, change = xmppclient.Up, (*node).goesOn
	}
	a.link, a.linkErr = link, err
	for _, n := range a.nodes {
		change(n)
	}
}

// maxDeleted bounds how many deleted nodes are remembered.
const maxDeleted = 1000

// bury remembers a node that was deleted, for streams that come back to one of
// the same name.
func (a *account) bury(n *node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.deleted) == maxDeleted {
		clear(a.deleted)
	}
	a.deleted[n.id] = n.events.Tag()
}

// join returns the node for a stream, which must leave it when it ends. It
// fails if that were more than limit nodes; those that nobody watches any more
// make room first.
func (a *account) join(id xmppclient.Node, limit int) (*node, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.nodes[id]
	if n == nil {
		if len(a.nodes) >= limit && !a.dropIdle() {
			return nil, &httpError{status: http.StatusServiceUnavailable, node: id, err: errTooManyNodes, retryAfter: retryAfter}
		}
		n = newNode(a, id)
		a.nodes[id] = n
	}
	n.stopLingering()
	n.askAgain()
	n.streams++
	return n, nil
}

var errTooManyNodes = errors.New("as many nodes are followed as the limit allows")

// leave is called when a stream ends. The node is given up after linger, unless
// another stream joins it until then.
func (a *account) leave(n *node, linger time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n.streams--; n.streams > 0 || n.ended != nil {
		return
	}
	if !n.wanted {
		a.forget(n) // nothing was subscribed that could linger
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(linger, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if n.lingering == timer { // and nobody stopped it too late
			a.forget(n)
		}
	})
	n.lingering = timer
}

// dropIdle forgets a node that nobody watches, if there is one. a.mu must be
// held.
func (a *account) dropIdle() bool {
	for _, n := range a.nodes {
		if n.streams == 0 {
			n.stopLingering()
			a.forget(n)
			return true
		}
	}
	return false
}

// forget unsubscribes from n. a.mu must be held.
func (a *account) forget(n *node) {
	n.dismiss()
	if a.nodes[n.id] == n {
		delete(a.nodes, n.id)
		a.client.Unsubscribe(n.id)
	}
}

// lookup returns the node, or nil if it is not followed.
func (a *account) lookup(id xmppclient.Node) *node {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nodes[id]
}
