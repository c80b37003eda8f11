package xmpptest

import (
	"slices"
	"time"
)

// lose keeps a session whose connection is gone until the client resumes it. It
// unbinds one that cannot be resumed.
func (srv *Server) lose(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.bound[s.jid] == s && !s.hibernate() {
		srv.remove(s)
	}
}

// hibernate returns false if the session cannot be resumed.
func (s *Session) hibernate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil || s.ledger.id == "" {
		return false
	}
	if s.lost.IsZero() {
		s.lost = time.Now()
	}
	return true
}

// hibernatesSince returns when the connection was lost, or the zero time.
func (s *Session) hibernatesSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// expire forgets the sessions that nobody came back for. srv.mu must be held.
func (srv *Server) expire() {
	for _, s := range srv.bound {
		if since := s.hibernatesSince(); !since.IsZero() && time.Since(since) > s.management.Max {
			srv.remove(s)
		}
	}
}

// resumeID returns by what the session can be resumed, or "".
func (s *Session) resumeID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil {
		return ""
	}
	return s.ledger.id
}

// forget makes sure that the session cannot be resumed.
func (s *Session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger != nil {
		s.ledger.id = ""
	}
}

// Hibernating returns the JIDs of the sessions that have lost their connection
// and can be resumed, sorted.
func (srv *Server) Hibernating() []string {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.expire()
	var jids []string
	for jid, s := range srv.bound {
		if !s.hibernatesSince().IsZero() {
			jids = append(jids, jid)
		}
	}
	slices.Sort(jids)
	return jids
}

// ForgetSessions makes sure that no session which there is now can be resumed,
// now or when its connection is lost. Connections are left alone.
func (srv *Server) ForgetSessions() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, s := range srv.bound {
		s.forget()
		if !s.hibernatesSince().IsZero() {
			srv.remove(s)
		}
	}
}
