package faulttest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestLastEventIDs comes with all sorts of last event IDs to two gateways, of
// which one has seen what the IDs are about. The answer is always an event
// stream, with a gap and what is retained if nothing can be made of the ID, and
// never with another node's events.
func TestLastEventIDs(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		p := plan{gateways: 2, live: -1}
		for _, node := range []string{"a", "b", "c"} {
			p.nodes = append(p.nodes, traffic{node, kind{keeps: 100}, nil, stepNew})
		}
		r := build(t, s, p)
		all := visits(r.collect())
		var streams []*stream
		var of []visit // of each of streams
		for _, v := range all {
			for _, s := range r.visit(v) {
				streams = append(streams, s)
				of = append(of, v)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		r.streams, r.hangUp = streams, cancel
		for _, s := range streams {
			r.streaming.Go(func() { s.run(ctx) })
		}
		r.wantStanding()
		r.each((*publisher).end)
		r.wantEnd()
		cancel()
		r.streaming.Wait()
		for i, s := range streams {
			for _, node := range s.nodes {
				of[i].judge(t, s, node)
			}
			for _, f := range s.faults {
				t.Errorf("%s: %s", s.name, f.text)
			}
		}
		t.Logf("%d visits", len(streams))
	})
}

// collect publishes the items, and collects the IDs that a stream gets of the
// first gateway.
func (r *rig) collect() known {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	r.hangUp = cancel
	a, b, c, both := r.stream("a", "", 0, "a"), r.stream("b", "", 0, "b"), r.stream("c", "", 0, "c"), r.stream("both", "", 0, "a", "b")
	r.streams = []*stream{a, b, c, both}
	for _, s := range r.streams {
		r.streaming.Go(func() { s.run(ctx) })
	}
	r.wantStanding()
	for range 3 {
		r.once()
	}
	r.wantFirst(3)
	cancel()
	r.streaming.Wait()
	r.recreate("c")
	ids := known{start: a.ids("a")[0], a: a.ids("a")[1:], b: b.ids("b")[1:], both: both.lastID, gone: c.lastID}
	r.t.Logf("IDs: %+v", ids)
	return ids
}

// recreate deletes a node and creates it anew, and publishes one item.
func (r *rig) recreate(node string) {
	r.t.Helper()
	c := r.conns.get()
	for _, p := range r.publishers {
		if p.node != node {
			continue
		}
		if err := c.DeleteNode(node); err != nil {
			r.t.Fatal(err)
		}
		if err := c.CreateNode(node, p.config); err != nil {
			r.t.Fatal(err)
		}
		p.once(r.t.Context())
	}
}

// stream returns a stream at one of the gateways.
func (r *rig) stream(name, lastID string, gatewayIndex int, nodes ...string) *stream {
	histories := map[string]*history{}
	for _, p := range r.publishers {
		histories[p.node] = p.history
	}
	s := newStream(name, nodes, histories, func() *gateway { return r.gateways[gatewayIndex] }, r.client)
	s.lastID = lastID
	return s
}

// ids returns the ID of each event of the node.
func (s *stream) ids(node string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, r := range s.records[node] {
		ids = append(ids, r.message.id)
	}
	return ids
}

// visit returns a stream for each way to make the visit.
func (r *rig) visit(v visit) []*stream {
	var streams []*stream
	for i := range r.gateways {
		for _, byQuery := range []bool{false, true} {
			switch {
			case byQuery && v.id == "":
			case !byQuery && strings.ContainsAny(v.id, "\x00\n"): // no header can have that
			case v.newcomer && i == 0:
			default:
				s := r.stream(fmt.Sprintf("%s, gateway %d, by query: %v", v.name, i, byQuery), v.id, i, v.nodes...)
				s.byQuery = byQuery
				streams = append(streams, s)
			}
		}
	}
	return streams
}
