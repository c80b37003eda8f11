package xmpptest

import "fmt"

const (
	nsDiscoInfo  = "http://jabber.org/protocol/disco#info"
	nsDiscoItems = "http://jabber.org/protocol/disco#items"
)

// IQ is a request or an answer to one.
type IQ struct {
	Type    string // get, set, result or error
	ID      string
	To      string // as the client wrote it; it may be empty
	Payload Element
	Raw     string
}

// StanzaError is the error a request is answered with.
type StanzaError struct {
	Type      string // cancel, modify, auth or wait
	Condition string // of RFC 6120, section 8.3.3
	App       string // a condition of XEP-0060 with its attributes, such as "closed-node". May be empty.
}

func (e StanzaError) Error() string {
	return fmt.Sprintf("%s/%s %s", e.Type, e.Condition, e.App)
}

// Reply answers iq with a result that contains inner.
func (s *Session) Reply(iq IQ, inner string) {
	// A session that has ended needs no answer.
	_ = s.send("<iq type='result'" + s.replyAttrs(iq) + ">" + inner + "</iq>")
}

// Fail answers iq with an error.
func (s *Session) Fail(iq IQ, e StanzaError) {
	app := ""
	if e.App != "" {
		app = "<" + e.App + " xmlns='http://jabber.org/protocol/pubsub#errors'/>"
	}
	_ = s.send("<iq type='error'" + s.replyAttrs(iq) + "><error" + attr("type", e.Type) + "><" + e.Condition +
		" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" + app + "</error></iq>")
}

func (s *Session) replyAttrs(iq IQ) string {
	return attr("id", iq.ID) + attrIf("from", iq.To) + attr("to", s.jid)
}

// handle answers a stanza. Messages and presence need no answer.
func (s *Session) handle(el Element) {
	if el.XMLName.Local != "iq" {
		return
	}
	iq := IQ{Type: el.Attr("type"), ID: el.Attr("id"), To: el.Attr("to"), Raw: el.String()}
	if len(el.Children) > 0 {
		iq.Payload = el.Children[0]
	}
	if iq.Type != "get" && iq.Type != "set" {
		return
	}
	if s.srv.cfg.OnIQ != nil && s.srv.cfg.OnIQ(s, iq) {
		return
	}
	switch iq.To {
	case "", s.srv.cfg.Domain, bare(s.jid):
		s.handleServerIQ(iq)
	case s.srv.cfg.Service:
		s.srv.pubsub.handle(request{Session: s, iq: iq, stanza: el})
	default:
		condition := "remote-server-not-found"
		if h := host(iq.To); h == s.srv.cfg.Domain || h == s.srv.cfg.Service {
			condition = "service-unavailable"
		}
		s.Fail(iq, StanzaError{Type: "cancel", Condition: condition})
	}
}

// handleServerIQ answers what is asked of the server itself.
func (s *Session) handleServerIQ(iq IQ) {
	switch iq.Type + " " + iq.Payload.XMLName.Space {
	case "get urn:xmpp:ping", "set urn:ietf:params:xml:ns:xmpp-session":
		s.Reply(iq, "")
	case "get " + nsDiscoInfo:
		s.Reply(iq, "<query xmlns='"+nsDiscoInfo+"'><identity category='server' type='im' name='xmpptest'/>"+
			feature(nsDiscoInfo)+feature(nsDiscoItems)+feature("urn:xmpp:ping")+"</query>")
	case "get " + nsDiscoItems:
		s.Reply(iq, "<query xmlns='"+nsDiscoItems+"'><item"+attr("jid", s.srv.cfg.Service)+"/></query>")
	default:
		s.Fail(iq, StanzaError{Type: "cancel", Condition: "service-unavailable"})
	}
}

func feature(name string) string { return "<feature" + attr("var", name) + "/>" }
