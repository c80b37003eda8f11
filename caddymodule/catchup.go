package caddymodule

// A catchUp makes sure that a log has all that its service had notified by a
// time. Its fields are guarded by account.mu.
type catchUp struct {
	running chan struct{} // closed when the service has answered; nil if it is not being asked
	next    chan struct{} // the same for who came after it was asked; nil if nobody did
}

// catchUp returns a channel that is closed when the log has all that the service
// had notified before the call, or cannot be known to: a client may come from
// an instance that heard of an event a moment before us. Answers come after
// the notifications before them.
func (n *node) catchUp() <-chan struct{} {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	c := &n.catching
	switch {
	case c.running == nil:
		c.running = make(chan struct{})
		n.account.running.Go(n.askUntilCaught)
		return c.running
	case c.next == nil:
		c.next = make(chan struct{})
	}
	return c.next
}

// askUntilCaught asks the service for as long as somebody waits for that.
func (n *node) askUntilCaught() {
	for more := true; more; {
		// Whatever the answer is, or why there is none.
		_, _ = n.account.client.NodeInfo(n.followed, n.id)
		more = n.caught()
	}
}

// caught tells those who waited for the answer, and reports whether there are
// others.
func (n *node) caught() bool {
	n.account.mu.Lock()
	defer n.account.mu.Unlock()
	c := &n.catching
	close(c.running)
	c.running, c.next = c.next, nil
	return c.running != nil
}
