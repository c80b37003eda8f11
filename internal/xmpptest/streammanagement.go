package xmpptest

import (
	"strconv"
	"time"
)

const nsSM = "urn:xmpp:sm:3"

// StreamManagement says what a server makes of XEP-0198.
type StreamManagement struct {
	Offered  bool // The stream features name it.
	Refused  bool // It is offered, but cannot be enabled.
	NoResume bool // Stanzas are counted, but sessions cannot be resumed.

	// How long a session without a connection can be resumed. Default: 10
	// minutes, as with Prosody.
	Max time.Duration

	// How many stanzas may be unacknowledged when a session is resumed. If
	// there are more the server closes the connection without an answer and
	// forgets the session, as Prosody does. Default: any number.
	MaxQueue int
}

func (m StreamManagement) withDefaults() StreamManagement {
	if m.Max == 0 {
		m.Max = 10 * time.Minute
	}
	return m
}

// feature returns the stream feature, if it is offered.
func (m StreamManagement) feature() string {
	if !m.Offered {
		return ""
	}
	return "<sm xmlns='" + nsSM + "'/>"
}

// SetStreamManagement changes Config.StreamManagement for connections to come.
func (srv *Server) SetStreamManagement(m StreamManagement) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.management = m.withDefaults()
}

// smFailed returns the answer to a request that fails.
func smFailed(condition string) string {
	return "<failed xmlns='" + nsSM + "'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
}

// handleSM handles an element of stream management after binding.
func (s *Session) handleSM(el Element) {
	switch el.XMLName.Local {
	case "enable":
		s.enable(el.Attr("resume"))
	case "resume":
		// It comes too late. A session that has ended needs no answer.
		_ = s.send(smFailed("unexpected-request"))
	case "r":
		s.acknowledge()
	case "a":
		s.handleAck(el.Attr("h"))
	}
}

// enable starts to count, and promises resumption if resume asks for it.
func (s *Session) enable(resume string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.management.Offered || s.ended:
	case s.management.Refused:
		s.enqueue(smFailed("service-unavailable"))
	case s.ledger != nil:
		s.enqueue(smFailed("unexpected-request"))
	default:
		s.ledger = &ledger{}
		attrs := ""
		if (resume == "true" || resume == "1") && !s.management.NoResume {
			s.ledger.id = newUUID()
			max := int(s.management.Max.Round(time.Second).Seconds())
			attrs = attr("id", s.ledger.id) + " resume='true'" + attr("max", strconv.Itoa(max))
		}
		s.enqueue("<enabled xmlns='" + nsSM + "'" + attrs + "/>")
	}
}

// acknowledge tells the client how many of its stanzas were handled.
func (s *Session) acknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger != nil && !s.ended {
		s.enqueue("<a xmlns='" + nsSM + "'" + attrH(s.ledger.handled) + "/>")
	}
}

// handleAck takes the client's word for how many stanzas it has handled.
func (s *Session) handleAck(value string) {
	h, err := parseH(value)
	if err != nil {
		s.StreamError("invalid-xml", err.Error())
		return
	}
	if !s.settle(h) {
		s.StreamError("undefined-condition", errTooHigh.Error())
	}
}

// settle drops what the client has handled, and asks about what was sent since
// it was asked last. It returns false if h cannot be.
func (s *Session) settle(h uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil || s.ended {
		return true
	}
	if !s.ledger.settle(h) {
		return false
	}
	s.requestAck()
	return true
}

// requestAck asks for an acknowledgement, if it is time to. s.mu must be held.
func (s *Session) requestAck() {
	if s.ledger.request() {
		s.enqueue("<r xmlns='" + nsSM + "'/>")
	}
}

// Acknowledged returns the last h of the client: how many stanzas it says it
// has handled since it enabled stream management.
func (s *Session) Acknowledged() uint32 {
	h, _ := s.counts()
	return h
}

// Unacknowledged returns how many stanzas are kept until the client has
// acknowledged them.
func (s *Session) Unacknowledged() int {
	_, n := s.counts()
	return n
}

// counts returns the numbers of the session, over whichever connection it has
// gone on since.
func (s *Session) counts() (acked uint32, unacked int) {
	s.mu.Lock()
	heir, l := s.heir, s.ledger
	if l != nil {
		acked, unacked = l.acked, len(l.unacked)
	}
	s.mu.Unlock()
	if heir != nil {
		return heir.counts()
	}
	return acked, unacked
}
