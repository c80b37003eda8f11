package faulttest

import (
	"context"
	"sync"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// conns is the connection that all publishers share, which is made anew when
// the server has been restarted.
type conns struct {
	mu      sync.Mutex // guards the following fields
	c       *servertest.Client
	changed chan struct{} // closed when there is another
}

func newConns(c *servertest.Client) *conns {
	return &conns{c: c, changed: make(chan struct{})}
}

// set replaces the connection.
func (cs *conns) set(c *servertest.Client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.c = c
	close(cs.changed)
	cs.changed = make(chan struct{})
}

// get returns the connection.
func (cs *conns) get() *servertest.Client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.c
}

// other waits for another connection than c, or for the end of ctx.
func (cs *conns) other(ctx context.Context, c *servertest.Client) {
	cs.mu.Lock()
	same, changed := cs.c == c, cs.changed
	cs.mu.Unlock()
	if !same {
		return
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
}
