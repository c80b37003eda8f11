package faulttest

import "github.com/caddy-pubsub/caddy-pubsub/internal/servertest"

// away tells all streams that nobody follows for them from now on.
func (r *rig) away() { r.markAll(entry{what: left}) }

// returned tells all streams that the gateway may find its way back.
func (r *rig) returned() { r.markAll(entry{what: back}) }

func (r *rig) markAll(e entry) {
	for _, s := range r.streams {
		s.mark(e)
	}
}

// restart ends the server in some way, and starts it again. No session
// survives that.
func (r *rig) restart(end func(*servertest.Server)) {
	r.t.Helper()
	r.away()
	r.setUnquiet(true)
	end(r.server)
	r.server.Start()
	// By now, what the gateway had got before has come through. Nothing new is
	// published until there is another connection.
	r.returned()
	r.setUnquiet(false)
	r.conns.set(r.server.Admin(r.t))
}

func (r *rig) setUnquiet(unquiet bool) {
	for _, p := range r.publishers {
		p.setUnquiet(unquiet)
	}
}

// pause waits until each op that was begun has been answered, and lets nobody
// begin another one until resume.
func (r *rig) pause() {
	for _, p := range r.publishers {
		p.pausing.Lock()
	}
}

func (r *rig) resume() {
	for _, p := range r.publishers {
		p.pausing.Unlock()
	}
}
