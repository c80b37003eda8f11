package faulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// A publisher makes the traffic of a node, one op at a time.
type publisher struct {
	traffic
	history *history
	conns   *conns
	every   time.Duration

	pausing sync.Mutex // held for each op, and during a pause

	mu    sync.Mutex // guards the following fields
	n     int        // ops begun
	times []time.Time
	// What the service answered, and should not have. While it stops or
	// starts, it may answer anything.
	errs    []error
	unquiet bool
}

func newPublisher(tr traffic, cs *conns, every time.Duration) *publisher {
	return &publisher{traffic: tr, history: &history{node: tr.node, kind: tr.kind}, conns: cs, every: every}
}

// run publishes until ctx ends.
func (p *publisher) run(ctx context.Context) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.once(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// once does the next op, now.
func (p *publisher) once(ctx context.Context) {
	c := p.conns.get()
	p.pausing.Lock()
	_, ok := p.next(c)
	p.pausing.Unlock()
	if !ok {
		p.conns.other(ctx, c)
	}
}

// next does the next op, and reports whether the connection still works.
// p.pausing must be held.
func (p *publisher) next(c *servertest.Client) (o op, ok bool) {
	p.mu.Lock()
	o = p.step(p.node, p.n)
	p.n++
	p.mu.Unlock()
	return o, p.do(c, o)
}

// end publishes the last item of all.
func (p *publisher) end() {
	p.do(p.conns.get(), op{id: endMark(p.node), mark: endMark(p.node)})
}

// do does an op, and reports whether the connection still works.
func (p *publisher) do(c *servertest.Client, o op) bool {
	p.mu.Lock()
	p.times = append(p.times, time.Now())
	p.mu.Unlock()
	index := p.history.begin(o)
	var err error
	if o.retract {
		err = c.Retract(p.node, o.id, true)
	} else {
		err = c.Publish(p.node, o.id, payload(o.mark))
	}
	answer, answered := errors.AsType[*servertest.Error](err)
	switch {
	case err == nil:
		p.history.end(index, done)
	case answered && o.retract && slices.Contains(answer.Conditions, "item-not-found"):
		// It was never there, since publishing it was cut short.
		p.history.end(index, refused)
	case answered:
		p.complain(fmt.Errorf("op %d at %s: %w", index, p.node, err))
	}
	return err == nil || answered
}

// complain notes an answer that has no place in a healthy server.
func (p *publisher) complain(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.unquiet {
		p.errs = append(p.errs, err)
	}
}

// setUnquiet tells that the service may answer anything from now on, or not.
func (p *publisher) setUnquiet(unquiet bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unquiet = unquiet
}

// newest returns the number of the newest op that was begun, or -1.
func (p *publisher) newest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n - 1
}
