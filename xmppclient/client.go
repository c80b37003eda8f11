package xmppclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// stable is how long a session must have lasted for its end to count as a
	// new trouble, and not as one more failure to connect.
	stable = time.Minute
	// stableResumable is the same for a session that can be resumed: the server keeps
	// what is missed only for so long, and only so much of it.
	stableResumable = 2 * time.Second

	// dialTimeout bounds the connecting of TCP.
	dialTimeout = 10 * time.Second
)

// A Client keeps one account logged in. All of its methods may be called from
// any goroutine; those that make a request wait for its answer, and must not
// be called from Config.OnEvent.
type Client struct {
	cfg      Config // static after New, as are the next four
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	resolver *net.Resolver
	slots    chan struct{} // has one element for each request that is under way
	wake     chan struct{} // has one element when queued grew

	maxEvent atomic.Int64
	history  atomic.Pointer[history]

	// Owned by Run's goroutine:
	resumption resumption
	elsewhere  string // where the server told us to go; "" if it did not

	mu       sync.Mutex // guards the following fields
	session  *session   // nil while there is none
	subs     map[Node]*subscription
	services map[string]int // how many subs each service has
	fresh    []Node         // to be subscribed or unsubscribed, because someone asked
	renewals []Node         // the same, because time passed or the session is new
	turn     int            // how many were taken out of the two
}

// New returns a Client, or says what is wrong with cfg. It does no I/O.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg:      cfg,
		dial:     (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		resolver: net.DefaultResolver,
		slots:    make(chan struct{}, maxRequests),
		wake:     make(chan struct{}, 1),
		subs:     make(map[Node]*subscription),
		services: make(map[string]int),
	}
	c.SetHistory(0, 0)
	return c, nil
}

// SetMaxEvent bounds the payload of one item to n bytes from now on; 0, which
// is the default, leaves it at what one stanza may have, [MaxStanza]. The payload
// of an item over the limit is dropped, and its Err set.
func (c *Client) SetMaxEvent(n int) { c.maxEvent.Store(int64(n)) }

// A history is how much of what a service retains is asked for.
type history struct{ items, bytes int }

// SetHistory bounds what Config.OnItems is told of a node, from now on, to its
// newest items, and to so many bytes of payload; 0, which is the default, is
// no bound.
func (c *Client) SetHistory(items, bytes int) { c.history.Store(&history{items, bytes}) }

// Run logs in, and again whenever the session ends, until ctx ends; then it
// unsubscribes, logs out, and returns when all that it started has ended,
// which takes a few seconds at most. It must be called once.
func (c *Client) Run(ctx context.Context) {
	quick := &backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 30 * time.Second}
	// Neither a wrong password nor somebody else with our resource goes away
	// by trying often; servers ban for the one and we would fight for the other.
	slow := &backoff.ExponentialBackOff{InitialInterval: 30 * time.Second, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Minute}
	report := c.linkReporter()
	defer c.unplanAll()
	for {
		lasted, err := c.runSession(ctx, report)
		if ctx.Err() != nil {
			return
		}
		c.elsewhere = otherHost(err)
		if lasted > stable || lasted > stableResumable && c.resumption.id != "" {
			quick.Reset()
			slow.Reset()
		}
		state, wait := Down, quick
		if errors.Is(err, ErrRejected) {
			state, wait = Rejected, slow
		} else if isConflict(err) {
			wait, err = slow, fmt.Errorf("another process uses resource %q of the account: %w", c.cfg.Resource, err)
		}
		report(state, err)
		if sleep(ctx, wait.NextBackOff()) != nil {
			return
		}
	}
}

// linkReporter returns a function that calls OnLink unless it would say what
// it said the last time.
func (c *Client) linkReporter() func(Link, error) {
	var last string
	return func(l Link, err error) {
		if now := fmt.Sprint(l, err); now != last {
			last = now
			c.cfg.OnLink(l, err)
		}
	}
}

// runSession logs in and serves the session until it ends, and returns how long
// it lasted, if at all, and why it ended.
func (c *Client) runSession(ctx context.Context, report func(Link, error)) (lasted time.Duration, err error) {
	s, err := c.connect(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	state := Up
	if s.resumed {
		state = Resumed
	}
	err = s.serve(ctx, func() { report(state, nil) })
	return time.Since(began), err
}

// current returns the session, or an error if there is none.
func (c *Client) current() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil, ErrDisconnected
	}
	return c.session, nil
}
