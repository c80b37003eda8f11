package xmpptest

import (
	"maps"
	"slices"
)

// Restart cuts all connections without a word, as if the process was killed,
// and loses all sessions: none can be resumed. Nodes, items, subscriptions and
// the address stay, as they do when Prosody starts again. Call SetRefusing before
// and after it for a server that stays down meanwhile.
func (srv *Server) Restart() {
	for _, c := range srv.loseAll() {
		c.Close()
	}
}

// loseAll forgets the sessions and the connections, which it returns.
func (srv *Server) loseAll() []*conn {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, s := range srv.bound {
		srv.remove(s)
	}
	conns := slices.Collect(maps.Keys(srv.conns))
	// What is still negotiating finds itself locked out.
	clear(srv.conns)
	return conns
}
