package xmppclient

import "slices"

// renewEvery is at which turn a renewal goes before what somebody waits for.
const renewEvery = 4

// enqueue puts n at the end of a queue, unless it is in that or in the one that
// is ahead. c.mu must be held.
func (c *Client) enqueue(queue *[]Node, n Node, sub *subscription) {
	sub.unplan()
	switch {
	case sub.busy:
		sub.again = true
	case sub.queue != queue && sub.queue != &c.fresh:
		sub.queue = queue
		*queue = append(*queue, n)
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// dequeue takes the next node to work on out of its queue. The ones that
// somebody waits for come first, but every few turns another, so that nobody
// can hold up the rest by asking for ever more.
func (c *Client) dequeue() (j job, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	queues := []*[]Node{&c.fresh, &c.renewals}
	if c.turn++; c.turn%renewEvery == 0 {
		slices.Reverse(queues)
	}
	for _, queue := range queues {
		for len(*queue) > 0 {
			n := (*queue)[0]
			*queue = (*queue)[1:]
			// It may be in the other queue by now, or be forgotten.
			if sub := c.subs[n]; sub != nil && sub.queue == queue {
				sub.queue, sub.busy, sub.stands = nil, true, false
				return job{n, sub, sub.wanted, sub.subID}, true
			}
		}
	}
	return job{}, false
}

// A job is to make a subscription, or to drop it.
type job struct {
	node   Node
	sub    *subscription
	wanted bool
	subID  string
}
