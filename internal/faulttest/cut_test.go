package faulttest

import (
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestLinkCut cuts the link under load, by RST and FIN in turn. The session is
// resumed each time, so that nothing at all may be missed, anywhere.
//
// Prosody keeps 500 stanzas for a session, and a gateway that loses its link
// again within seconds waits the longer before it tries, so there is less load
// than elsewhere.
func TestLinkCut(t *testing.T) {
	each(t, 3, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		p, n := usual, rounds(t, 2)
		p.every = 120 * time.Millisecond
		if n > 2 {
			p.every = 750 * time.Millisecond
		}
		r := build(t, s, p)
		for range n {
			for _, cut := range []func(){r.link.reset, r.link.finish} {
				r.wantFlow()
				cut()
			}
		}
		r.wantFlow()
		r.finish()
	})
}

// TestLinkSilent has the link go silent under load, which looks like a server
// that has nothing to say. The gateway has to find out within a minute, and
// resumes the session on a new link, so that nothing may be missed. There is
// less traffic than elsewhere, since Prosody remembers 500 stanzas.
func TestLinkSilent(t *testing.T) {
	each(t, 0, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		p := usual
		p.every, p.single, p.all = time.Second, 3, 2
		r := build(t, s, p)
		for range rounds(t, 1) {
			r.wantFlow()
			r.link.silence()
			r.wantFlow()
		}
		r.finish()
	})
}
