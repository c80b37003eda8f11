package xmppclient

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"

	"mellium.im/xmpp"
)

// bind resumes the session before, or else asks for the resource that the
// configuration names (RFC 6120 §7). mellium's feature sends an empty one.
// Subscriptions are those of a full JID, so a new resource at each login would
// leave one behind at each. To resume is no feature of its own, since mellium
// would bind after it all the same.
func (s *session) bind() xmpp.StreamFeature {
	f := xmpp.BindResource()
	f.Negotiate = func(_ context.Context, xs *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, error) {
		m := &s.client.resumption
		var err error
		if s.resumed, err = s.resume(xs); err != nil {
			return 0, nil, fmt.Errorf("resuming the session: %w", err)
		}
		if !s.resumed {
			m.forget() // whatever there was is gone once the resource is bound
			if m.jid, err = s.bindResource(xs); err != nil {
				return 0, nil, fmt.Errorf("binding resource %q: %w", s.client.cfg.Resource, err)
			}
			if err := s.enable(xs); err != nil {
				return 0, nil, fmt.Errorf("enabling stream management: %w", err)
			}
		}
		xs.UpdateAddr(m.jid)
		s.jid = m.jid.String()
		return xmpp.Ready, nil, nil
	}
	return f
}

func (s *session) bindResource(xs *xmpp.Session) (j JID, err error) {
	resource := ""
	if r := s.client.cfg.Resource; r != "" {
		resource = "<resource>" + escape(r) + "</resource>"
	}
	if _, err := fmt.Fprintf(s.link, "<iq type='set' id='%s'><bind xmlns='%s'>%s</bind></iq>", newID(), nsBind, resource); err != nil {
		return j, err
	}
	tokens := xs.TokenReader()
	defer tokens.Close()
	// Nothing but the answer can come before a resource is bound.
	start, err := nextElement(tokens)
	if err != nil {
		return j, err
	}
	if start.Name.Local != "iq" {
		return j, fmt.Errorf("%w: %s in place of an IQ", errNoResult, start.Name.Local)
	}
	rq := request{decode: func(r *reader) error {
		return r.child(nsBind, "bind", func(xml.StartElement) error {
			return r.child(nsBind, "jid", func(xml.StartElement) error {
				text, broken := r.text()
				if broken == nil {
					j, err = ParseJID(text)
				}
				return broken
			})
		})
	}}
	outcome, broken := rq.read(&reader{tokens: tokens}, start)
	switch {
	case broken != nil:
		return j, broken
	case outcome != nil:
		return j, outcome
	case err == nil && j.Localpart() == "":
		return j, errNoResult
	}
	return j, err
}
