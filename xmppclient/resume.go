package xmppclient

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"

	"mellium.im/xmpp"
)

// maxResumeTries is how often a server may break the link in place of saying
// whether it resumes a session. Prosody does it once if too much was missed.
const maxResumeTries = 3

var errNotResumed = errors.New("the server answered neither resumed nor failed")

// A resumption is what outlives a link, so that the session can go on over the
// next as if nothing had been (XEP-0198 §5). It belongs to Run's goroutine.
//
// A stanza counts when it was read to its end and handled: one that counts too
// early would be lost, one that does not count would come twice. Nothing that
// we send is counted or sent again, since all of it is requests, which fail
// with the link and are made again by those who need them.
type resumption struct {
	id      string // "" if there is nothing to resume
	jid     JID
	handled uint32 // stanzas of the server since it began to count
	tries   int    // how often the link broke while we waited for the answer
}

// forget gives the session up: it ended for good, or would only bring what
// broke it again.
func (m *resumption) forget() { m.id, m.tries = "", 0 }

// resume asks the server to go on with the session before, if there is one. If
// it does not, the stream is as it was, and a resource can be bound.
func (s *session) resume(xs *xmpp.Session) (resumed bool, err error) {
	m := &s.client.resumption
	if _, offered := xs.Feature(nsSM); !offered || m.id == "" {
		return false, nil
	}
	if m.tries++; m.tries > maxResumeTries {
		m.forget()
		return false, nil
	}
	if _, err := fmt.Fprintf(s.link, "<resume xmlns='%s' h='%d' previd='%s'/>", nsSM, m.handled, escape(m.id)); err != nil {
		return false, err
	}
	tokens := xs.TokenReader()
	defer tokens.Close()
	start, err := nextElement(tokens)
	if err != nil {
		return false, err
	}
	if start.Name.Space != nsSM || start.Name.Local != "resumed" && start.Name.Local != "failed" {
		return false, errNotResumed
	}
	if err := (&reader{tokens: tokens}).skip(-1); err != nil {
		return false, err
	}
	if start.Name.Local == "failed" {
		m.forget()
		return false, nil
	}
	m.tries = 0
	return true, nil
}

// enable asks the server to count from now on (XEP-0198 §3). Its answer comes
// to manage, after stanzas that were on their way.
func (s *session) enable(xs *xmpp.Session) error {
	if _, offered := xs.Feature(nsSM); !offered {
		return nil
	}
	_, err := fmt.Fprintf(s.link, "<enable xmlns='%s' resume='true'/>", nsSM)
	return err
}

// manage handles an element of stream management.
func (s *session) manage(start xml.StartElement) {
	m := &s.client.resumption
	switch start.Name.Local {
	case "enabled":
		m.handled = 0
		if resume := attr(start, "resume"); resume == "true" || resume == "1" {
			m.id = attr(start, "id")
		}
	case "r":
		// If this fails the link is broken, and what is not acknowledged
		// comes again.
		_, _ = s.link.Write([]byte("<a xmlns='" + nsSM + "' h='" + strconv.FormatUint(uint64(m.handled), 10) + "'/>"))
	}
}
