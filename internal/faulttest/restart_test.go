package faulttest

import (
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestServerKilled kills the server under load. What the nodes retain is there
// after it, and nothing of that may be missed.
//
// An ejabberd that is killed forgets the last things it has acknowledged, nodes
// and subscriptions among them. So publishers pause before, until all is
// written: the load begins again before the gateway is back, but nothing is
// under way when the server dies.
func TestServerKilled(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := build(t, s, usual)
		for range rounds(t, 2) {
			r.wantWork(20)
			if s.Name() == "ejabberd" {
				r.pause()
				r.wantDurable()
			}
			r.restart((*servertest.Server).Kill)
			if s.Name() == "ejabberd" {
				r.resume()
			}
			r.wantFlow()
		}
		r.finish()
	})
}

// TestServerStopped stops the server under load, as an administrator does, and
// starts it again.
func TestServerStopped(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := build(t, s, usual)
		for range rounds(t, 1) {
			r.wantWork(20)
			r.restart((*servertest.Server).Stop)
			r.wantFlow()
		}
		r.finish()
	})
}

// TestExpired has more published while the gateway is away than the service
// retains. That is said once, and then comes what is retained. The server is
// restarted meanwhile, or it would have kept all of it for the session.
func TestExpired(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		p := usual
		p.keeps = 20
		r := build(t, s, p)
		for range rounds(t, 1) {
			r.wantWork(30)
			r.away()
			r.link.refuse()
			r.setUnquiet(true)
			s.Stop()
			s.Start()
			r.setUnquiet(false)
			r.conns.set(s.Admin(t))
			// Some pages come back meanwhile, and find nobody who knows.
			for i, stream := range r.streams {
				if i%3 == 0 {
					stream.cut()
				}
			}
			r.wantWork(60)
			r.returned()
			r.link.mend()
			r.wantFlow()
		}
		r.finish()
	})
}
