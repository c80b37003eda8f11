package xmppclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// subscribeWindow is how many subscriptions are made at a time. Servers
	// throttle what their clients send, and answer in order: more at a time
	// would only make everything else wait behind them.
	subscribeWindow = 8
	// renewAfter is how long a subscription is believed to stand without
	// asking. Both Prosody and ejabberd can drop one silently, and only a new
	// request tells.
	renewAfter = 30 * time.Minute
	// Bounds of the time after which a service that failed is asked again.
	retryMin, retryMax = 2 * time.Second, 5 * time.Minute
	// maxDropTries is how often a service that does not answer is asked to drop
	// a subscription.
	maxDropTries = 4
	// maxQueuedStrays bounds how many subscriptions that nobody wants may wait
	// to be dropped.
	maxQueuedStrays = 1000
)

// A subscription is one that is wanted, or that has to be dropped. Its fields
// are guarded by Client.mu.
type subscription struct {
	wanted bool
	queue  *[]Node // the one of Client.fresh and Client.renewals that it is in
	busy   bool    // a request is under way
	again  bool    // it was asked for, or given up, while busy
	stood  bool    // it was made once
	stands bool    // it was made, and items were told, in this session or those it goes on with
	subID  string
	tries  int         // failures in a row
	timer  *time.Timer // queues it later; nil if nothing is planned
}

// Subscribe asks for a subscription to n to stand from now on, in this session
// and all that follow, until [Client.Unsubscribe], or until the service
// refuses it or takes it away. It does not wait: Config.OnSubscription hears
// what came of it. To subscribe again is to ask again, which does no harm.
func (c *Client) Subscribe(n Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := c.subs[n]
	if sub == nil {
		sub = c.add(n)
	}
	sub.wanted = true
	c.enqueue(&c.fresh, n, sub)
}

// Expedite has the subscription to n, if it waits for its turn, made or renewed
// before those that nobody asked for. It does not wait.
func (c *Client) Expedite(n Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sub := c.subs[n]; sub != nil && sub.queue == &c.renewals {
		c.enqueue(&c.fresh, n, sub)
	}
}

// Unsubscribe gives the subscription to n up. Events that are on their way are
// dropped. It does not wait.
func (c *Client) Unsubscribe(n Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sub := c.subs[n]; sub != nil {
		sub.wanted = false
		c.enqueue(&c.fresh, n, sub)
	}
}

// add makes an entry for n. c.mu must be held.
func (c *Client) add(n Node) *subscription {
	sub := &subscription{}
	c.subs[n] = sub
	c.services[n.Service]++
	return sub
}

// remove forgets n, if sub is still its entry. c.mu must be held.
func (c *Client) remove(n Node, sub *subscription) {
	if c.subs[n] != sub {
		return
	}
	sub.unplan()
	delete(c.subs, n)
	if c.services[n.Service]--; c.services[n.Service] == 0 {
		delete(c.services, n.Service)
	}
}

// plan queues n after about d. c.mu must be held.
func (c *Client) plan(d time.Duration, n Node, sub *subscription) {
	sub.unplan()
	sub.timer = time.AfterFunc(d*3/4+rand.N(d/2), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.subs[n] == sub {
			c.enqueue(&c.renewals, n, sub)
		}
	})
}

// unplan takes back what plan did. Client.mu must be held.
func (sub *subscription) unplan() {
	if sub.timer != nil {
		sub.timer.Stop()
		sub.timer = nil
	}
}

// keepSubscribed works on the queues, and returns when ctx has ended and all
// of its requests have.
func (c *Client) keepSubscribed(ctx context.Context) {
	var workers errgroup.Group
	workers.SetLimit(subscribeWindow)
	for ctx.Err() == nil {
		j, ok := c.dequeue()
		if !ok {
			select {
			case <-c.wake:
			case <-ctx.Done():
			}
			continue
		}
		workers.Go(func() error {
			c.work(ctx, j)
			return nil // the outcome went to finish
		})
	}
	_ = workers.Wait() // they have no errors
}

func (c *Client) work(ctx context.Context, j job) {
	if !j.wanted {
		c.finishDrop(j.node, j.sub, c.unsubscribe(ctx, j.node, j.subID))
		return
	}
	subID, err := c.subscribe(ctx, j.node)
	if err == nil {
		err = c.tellItems(ctx, j.node)
	}
	if c.finish(j.node, j.sub, subID, err) {
		c.cfg.OnSubscription(j.node, err)
	}
}

// finish notes the outcome of an attempt to subscribe. It reports whether that
// is of interest: it is not if the node was given up, asked for again or ended
// meanwhile.
func (c *Client) finish(n Node, sub *subscription, subID string, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub.busy = false
	if subID != "" {
		sub.subID = subID // even if what came after it failed
	}
	switch {
	case c.subs[n] != sub:
		return false
	case sub.again:
		sub.again = false
		c.enqueue(&c.fresh, n, sub)
		return false
	case err == nil:
		sub.tries, sub.stood, sub.stands = 0, true, true
		c.plan(renewAfter, n, sub)
	case Temporary(err), sub.stood && Unreachable(err):
		c.planRetry(n, sub, err)
	default:
		c.remove(n, sub)
	}
	return true
}

// finishDrop notes the outcome of an attempt to unsubscribe. A service that
// refuses knows of no subscription. One that never answers is given up: should
// an event come, it is asked again.
func (c *Client) finishDrop(n Node, sub *subscription, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub.busy = false
	switch {
	case sub.again:
		sub.again = false
		c.enqueue(&c.fresh, n, sub)
	case errors.Is(err, ErrDisconnected), errors.Is(err, ErrTimeout) && sub.tries < maxDropTries:
		c.planRetry(n, sub, err)
	default:
		c.remove(n, sub)
	}
}

// planRetry queues n for when it may be asked again; after a lost session that
// is when there is a new one. c.mu must be held.
func (c *Client) planRetry(n Node, sub *subscription, err error) {
	if errors.Is(err, ErrDisconnected) || errors.Is(err, context.Canceled) {
		return
	}
	c.plan(min(retryMin<<min(sub.tries, 10), retryMax), n, sub)
	sub.tries++
}

// enter makes s the session, and has all subscriptions made in it, or those that
// it did not inherit.
func (c *Client) enter(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
	for n, sub := range c.subs {
		sub.tries = 0
		if sub.stands = sub.stands && s.resumed; !sub.stands {
			c.enqueue(&c.renewals, n, sub)
		}
	}
}

// unplanAll stops all timers. It is called when there will be no session any
// more.
func (c *Client) unplanAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sub := range c.subs {
		sub.unplan()
	}
}

// leave is called when the session has ended.
func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = nil
}

// subscribesAt reports whether we have, or had until a moment ago, a
// subscription at service.
func (c *Client) subscribesAt(service string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.services[service] > 0
}

// expects reports whether somebody wants to know of ev. A subscription that the
// service ended is forgotten. One that we do not know of was left behind by an
// earlier life of ours and is dropped.
func (c *Client) expects(ev *Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub := c.subs[ev.Node]
	ended := ev.Kind == Deleted || ev.Kind == SubscriptionChanged && ev.Subscription != "subscribed"
	switch {
	case sub == nil && !ended && len(c.renewals) < maxQueuedStrays:
		c.enqueue(&c.renewals, ev.Node, c.add(ev.Node))
		return false
	case sub == nil:
		return false
	case ended:
		c.remove(ev.Node, sub)
	}
	return sub.wanted
}

// unsubscribeAll asks for all subscriptions to be dropped, and waits for
// nothing.
func (s *session) unsubscribeAll() {
	c := s.client
	c.mu.Lock()
	nodes := make(map[Node]string, len(c.subs))
	for n, sub := range c.subs {
		nodes[n] = sub.subID
	}
	c.mu.Unlock()
	for n, subID := range nodes {
		if err := s.send("set", newID(), n.Service, s.unsubscribePayload(n, subID)); errors.Is(err, ErrDisconnected) {
			return // the link is broken, or the server does not read
		}
	}
}
