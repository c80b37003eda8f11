package faulttest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestManyNodes restarts a server of whose nodes 250 are followed, or
// FAULTS_NODES. What is published meanwhile comes, at all of them.
func TestManyNodes(t *testing.T) {
	each(t, 1, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		manyNodes(t, s, number(t, "FAULTS_NODES", 250))
	})
}

// TestManyNodesThrottled is the same where the server throttles its clients, at
// 60 nodes, or FAULTS_THROTTLED_NODES.
func TestManyNodesThrottled(t *testing.T) {
	each(t, 2, servertest.Options{RateLimit: true}, func(t *testing.T, s *servertest.Server) {
		manyNodes(t, s, number(t, "FAULTS_THROTTLED_NODES", 60))
	})
}

const (
	liveNodes   = 4
	perStream   = 32
	manyPatient = 10 * time.Minute // for what servers draw out
)

func manyNodes(t *testing.T, s *servertest.Server, n int) {
	p := plan{gateways: 1, every: 50 * time.Millisecond, live: liveNodes, group: perStream}
	for i := range n {
		p.nodes = append(p.nodes, traffic{fmt.Sprintf("n%05d", i), kind{keeps: 20}, map[string]string{"pubsub#max_items": "20"}, stepNew})
	}
	r := build(t, s, p)
	r.once()
	r.wantFirst(1)
	restart := time.Now()
	r.restart((*servertest.Server).Stop)
	up := time.Now()
	r.once()
	r.wantFirst(2)
	flow := time.Now()
	r.once()
	r.wantFirst(3)
	t.Logf("%d nodes: all flowed %v after the server was up again", n, flow.Sub(up).Round(time.Millisecond))
	for _, phase := range []struct {
		name     string
		from, to time.Time
	}{
		{"before the restart", time.Time{}, restart},
		{"until all flowed", up, flow},
		{"after that", flow, time.Now()},
	} {
		t.Logf("latency at the %d live nodes %s: %s", liveNodes, phase.name, r.latencies(phase.from, phase.to))
	}
	r.finish()
}

// once publishes something at each node.
func (r *rig) once() {
	r.each(func(p *publisher) { p.once(context.Background()) })
}

// wantFirst waits until something has come of each node for the nth time. At
// those where nothing is published all the while, that is the nth of all.
func (r *rig) wantFirst(n int) {
	r.t.Helper()
	r.want(fmt.Sprintf("of some nodes there came nothing for time %d", n), manyPatient, func(s *stream, node string) string {
		if s.steps[node] < n-1 {
			return fmt.Sprintf("the newest is %d", s.steps[node])
		}
		return ""
	})
}

// latencies tells how long it took from before an item was published at a live
// node until a stream had it.
func (r *rig) latencies(from, to time.Time) string {
	var all []time.Duration
	for _, p := range r.publishers[:liveNodes] {
		p.mu.Lock()
		times := slices.Clone(p.times)
		p.mu.Unlock()
		for _, s := range r.streams {
			all = append(all, s.latencies(p.node, times, from, to)...)
		}
	}
	if len(all) == 0 {
		return "nothing was published"
	}
	slices.Sort(all)
	at := func(part float64) time.Duration {
		return all[int(part*float64(len(all)-1))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("median %v, 99%% %v, most %v, of %d events", at(.5), at(.99), at(1), len(all))
}

// latencies returns those of the events of a node whose ops were begun at the
// times, and between the others.
func (s *stream) latencies(node string, times []time.Time, from, to time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, r := range s.records[node] {
		_, n, _ := glance(r.message)
		if n < 0 || n >= len(times) || times[n].Before(from) || times[n].After(to) {
			continue
		}
		all = append(all, r.when.Sub(times[n]))
	}
	return all
}
