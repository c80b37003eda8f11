package xmpptest

import (
	"net"
	"strings"
)

// accept starts a goroutine for each connection until the listener is closed.
func (srv *Server) accept() {
	for {
		tcp, err := srv.listener.AcceptTCP()
		if err != nil {
			return
		}
		c := newConn(tcp)
		s, ok := srv.admit(c)
		if !ok {
			c.reset()
			continue
		}
		srv.running.Go(func() {
			s.run()
			srv.release(c)
		})
	}
}

// admit registers c, unless the server is closed or refuses connections.
func (srv *Server) admit(c *conn) (*Session, bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed {
		return nil, false
	}
	srv.accepted++
	if srv.refusing {
		return nil, false
	}
	srv.conns[c] = struct{}{}
	return newSession(srv, c), true
}

func (srv *Server) release(c *conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.conns, c)
}

// admitted returns false if a restart has come over the session. srv.mu must be
// held.
func (srv *Server) admitted(s *Session) bool {
	_, ok := srv.conns[s.conn]
	return ok
}

func (srv *Server) password(user string) (password string, ok bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	password, ok = srv.users[user]
	return password, ok
}

func (srv *Server) countLogin() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.logins++
}

// bind makes s the session of its JID and sends it result. It ends the session
// that had the JID so far. Nothing is sent to s before result.
func (srv *Server) bind(s *Session, result string) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.admitted(s) {
		return net.ErrClosed
	}
	if old := srv.bound[s.jid]; old != nil {
		srv.remove(old)
		old.end(streamError("conflict", "Replaced by new connection"))
	}
	srv.binds++
	_ = s.send(result)
	srv.establish(s)
	return nil
}

// establish makes s the session of its JID. srv.mu must be held.
func (srv *Server) establish(s *Session) {
	if srv.cutAfter >= 0 {
		s.CutAfter(srv.cutAfter)
	}
	srv.bound[s.jid] = s
	srv.fresh = append(srv.fresh, s)
	close(srv.news)
	srv.news = make(chan struct{})
}

// unbind takes s out of the list of sessions, if it is in it, for good.
func (srv *Server) unbind(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.remove(s)
}

// remove is unbind with srv.mu held.
func (srv *Server) remove(s *Session) {
	s.forget()
	if srv.bound[s.jid] == s {
		delete(srv.bound, s.jid)
	}
}

// deliver sends a stanza to the session with the full JID to, or to all the
// available sessions of the bare JID to. If there is none the stanza is lost.
func (srv *Server) deliver(to, stanza string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if s := srv.bound[to]; s != nil {
		// A session that ends misses what is sent meanwhile.
		_ = s.send(stanza)
		return
	}
	for jid, s := range srv.bound {
		if bare(jid) == to && s.isAvailable() {
			_ = s.send(stanza)
		}
	}
}

// bare returns jid without its resource.
func bare(jid string) string {
	b, _, _ := strings.Cut(jid, "/")
	return b
}

// host returns the domain part of jid.
func host(jid string) string {
	b := bare(jid)
	return b[strings.LastIndex(b, "@")+1:]
}
