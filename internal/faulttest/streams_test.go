package faulttest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestStreamsCut ends streams at random, wherever they are. They come back to
// the same process, where nothing at all may be missed.
func TestStreamsCut(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := build(t, s, usual)
		r.cutStreams(rounds(t, 300))
		r.finish()
	})
}

// TestHops is TestStreamsCut with two gateways, to any of which streams come
// back.
func TestHops(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		p := usual
		p.gateways = 2
		r := build(t, s, p)
		r.cutStreams(rounds(t, 300))
		r.finish()
	})
}

// cutStreams ends streams n times.
func (r *rig) cutStreams(n int) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range n {
		<-tick.C
		r.streams[rand.IntN(len(r.streams))].cut()
	}
	r.wantFlow()
}

// TestGatewayKilled kills the gateway and starts it again, with an identity
// that it has stored and nothing else. Streams come back to it.
func TestGatewayKilled(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := build(t, s, usual)
		for range rounds(t, 2) {
			r.wantWork(20)
			r.gateways[0].kill()
			r.wantWork(10)
			r.gateways[0].start()
			r.wantFlow()
		}
		r.finish()
	})
}

// TestReload changes the directive under load, which ends all streams. They
// come back to the same process, where nothing at all may be missed.
func TestReload(t *testing.T) {
	each(t, 2, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := build(t, s, usual)
		for i := range rounds(t, 1) {
			r.wantWork(10)
			before := r.opens()
			r.gateways[0].reload([]string{"heartbeat 14s", "heartbeat 13s"}[i%2])
			r.wantReopened(before)
			r.wantFlow()
		}
		r.finish()
	})
}
