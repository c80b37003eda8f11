package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// A rig is a server, gateways behind links, publishers and streams.
type rig struct {
	t          *testing.T
	server     *servertest.Server
	link       *link // of the first gateway
	gateways   []*gateway
	conns      *conns
	publishers []*publisher
	streams    []*stream

	client     *http.Client
	publishing sync.WaitGroup
	streaming  sync.WaitGroup
	stop       context.CancelFunc // ends the publishers
	hangUp     context.CancelFunc // ends the streams
}

// A plan is what a rig consists of.
type plan struct {
	gateways int
	keeps    int           // items that nodes retain
	every    time.Duration // between two ops of a publisher
	single   int           // streams of each node
	all      int           // streams of all nodes

	// nodes are the nodes, if not one of each kind, and live is how many of them
	// have something published all the while, if not all; -1 is none.
	nodes []traffic
	live  int
	group int // nodes of each stream that has some, but not all
}

// usual is a plan for what is no matter of size.
var usual = plan{gateways: 1, keeps: 500, every: 50 * time.Millisecond, single: 8, all: 6}

// build starts all that is in the plan. When it returns, the subscriptions of
// all streams stand, and the publishers have begun.
func build(t *testing.T, s *servertest.Server, p plan) *rig {
	t.Helper()
	r := &rig{t: t, server: s, conns: newConns(s.Admin(t))}
	r.client = &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for range p.gateways {
		link := startLink(t, s.Addr())
		if r.link == nil {
			r.link = link
		}
		r.gateways = append(r.gateways, startGateway(t, s, link.addr()))
	}
	histories := r.createNodes(p)
	r.stop, r.hangUp = func() {}, func() {}
	t.Cleanup(func() {
		r.stop()
		r.hangUp()
		r.conns.get().Close() // so that no publisher waits for an answer
		r.publishing.Wait()
		r.streaming.Wait()
		r.client.CloseIdleConnections()
	})
	r.follow(p, histories)
	r.wantStanding()
	r.publish(p.live)
	return r
}

func (r *rig) createNodes(p plan) map[string]*history {
	r.t.Helper()
	if p.nodes == nil {
		p.nodes = traffics(p.keeps, r.server.Name())
	}
	histories := map[string]*history{}
	for _, tr := range p.nodes {
		pub := newPublisher(tr, r.conns, p.every)
		r.publishers = append(r.publishers, pub)
		histories[tr.node] = pub.history
	}
	r.each(func(pub *publisher) {
		if err := r.conns.get().CreateNode(pub.node, pub.config); err != nil {
			r.t.Errorf("creating %s: %v", pub.node, err)
		}
	})
	if r.t.Failed() {
		r.t.FailNow()
	}
	return histories
}

// each does something for all publishers, several at a time.
func (r *rig) each(f func(*publisher)) {
	var working sync.WaitGroup
	todo := make(chan *publisher)
	for range 8 {
		working.Go(func() {
			for pub := range todo {
				f(pub)
			}
		})
	}
	for _, pub := range r.publishers {
		todo <- pub
	}
	close(todo)
	working.Wait()
}

// follow starts the streams.
func (r *rig) follow(p plan, histories map[string]*history) {
	var all []string
	for _, pub := range r.publishers {
		all = append(all, pub.node)
	}
	open := func(name string, i int, nodes ...string) {
		r.add(newStream(fmt.Sprint(name, " ", i), nodes, histories, r.anyGateway, r.client))
	}
	for _, node := range all {
		for i := range p.single {
			open(node, i, node)
		}
	}
	for i := range p.all {
		open("all", i, all...)
	}
	if p.group > 0 {
		i := 0
		for nodes := range slices.Chunk(all, p.group) {
			open("group", i, nodes...)
			i++
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.hangUp = cancel
	for _, s := range r.streams {
		r.streaming.Go(func() { s.run(ctx) })
	}
}

func (r *rig) add(s *stream) {
	s.byQuery = len(r.streams)%4 == 3
	r.streams = append(r.streams, s)
}

// anyGateway picks one at random.
func (r *rig) anyGateway() *gateway { return r.gateways[rand.IntN(len(r.gateways))] }

// publish starts the publishers.
func (r *rig) publish(live int) {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	if live == 0 {
		live = len(r.publishers)
	}
	for _, p := range r.publishers[:max(0, live)] {
		r.publishing.Go(func() { p.run(ctx) })
	}
}
