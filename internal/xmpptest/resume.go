package xmpptest

import (
	"errors"
	"fmt"
	"net"
)

var (
	errNoSession = errors.New("there is no such session")
	errOverflow  = errors.New("too many stanzas are unacknowledged")
	errTooHigh   = errors.New("client acknowledged more stanzas than sent by server")
)

// resume answers a request of stream management before binding. It returns true
// if the session goes on, and false if a resource can still be bound.
func (s *Session) resume(user string, el Element) (bool, error) {
	if el.XMLName.Local != "resume" {
		return false, s.write(smFailed("unexpected-request"))
	}
	if err := s.reached(AtResume); err != nil {
		return false, err
	}
	h, err := parseH(el.Attr("h"))
	if err != nil {
		return false, s.refuse(streamError("invalid-xml", err.Error()))
	}
	switch err := s.srv.resume(s, user+"@"+s.srv.cfg.Domain, el.Attr("previd"), h); err {
	case nil:
		return true, nil
	case errNoSession:
		return false, s.write(smFailed("item-not-found"))
	case errTooHigh:
		return false, s.refuse(streamError("undefined-condition", err.Error()))
	default:
		return false, fmt.Errorf("resuming a session: %w", err)
	}
}

// resume lets s go on with the account's session known by id.
func (srv *Server) resume(s *Session, account, id string, h uint32) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.admitted(s) {
		return net.ErrClosed
	}
	old := srv.resumable(account, id)
	if old == nil {
		return errNoSession
	}
	if err := s.takeOver(old, h); err != nil {
		srv.remove(old)
		return err
	}
	srv.resumes++
	srv.establish(s)
	return nil
}

// resumable returns the account's session known by id, or nil. srv.mu must be
// held.
func (srv *Server) resumable(account, id string) *Session {
	srv.expire()
	for jid, s := range srv.bound {
		if bare(jid) == account && id != "" && s.resumeID() == id {
			return s
		}
	}
	return nil
}

// takeOver ends old, and goes on where it stopped: with what it counted, and
// with the stanzas that the client has not got. srv.mu must be held.
func (s *Session) takeOver(old *Session, h uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Others lock an heir while they hold what it has resumed. But nobody knows
	// s yet.
	old.mu.Lock()
	defer old.mu.Unlock()
	old.finish("")
	l := old.ledger
	if !l.settle(h) {
		return errTooHigh
	}
	if s.management.MaxQueue > 0 && len(l.unacked) > s.management.MaxQueue {
		return errOverflow
	}
	old.ledger, old.heir = nil, s
	s.ledger, s.jid, s.available = l, old.jid, old.available

	s.enqueue("<resumed xmlns='" + nsSM + "'" + attr("previd", l.id) + attrH(l.handled) + "/>")
	for _, st := range l.unacked {
		s.enqueue(st.again(bare(s.jid)))
	}
	l.asked = l.acked // what was asked before is lost
	s.requestAck()
	return nil
}

// Resumes returns how many sessions were resumed so far.
func (srv *Server) Resumes() int { return srv.count(&srv.resumes) }
