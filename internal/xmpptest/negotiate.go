package xmpptest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	nsTLS  = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind = "urn:ietf:params:xml:ns:xmpp-bind"
)

var errReset = errors.New("reset as a test has asked for")

// negotiate leads the client to a session, bound or resumed.
func (s *Session) negotiate() error {
	err := s.reached(AtAccept)
	switch {
	case err != nil:
	case s.srv.cfg.DirectTLS:
		err = s.secure()
	case !s.srv.cfg.NoTLS:
		err = s.startTLS()
	}
	if err != nil {
		return err
	}
	user, err := s.authenticate()
	if err != nil {
		return err
	}
	return s.enter(user)
}

// reached falls silent if this is the stage to do so. It returns an error if it
// is the stage to reset the connection.
func (s *Session) reached(stage Stage) error {
	if s.silentAt == stage {
		s.conn.hang()
	}
	if s.resetAt == stage {
		s.conn.reset()
		return errReset
	}
	return nil
}

// openStream answers a stream header with our own and these features.
func (s *Session) openStream(features string) error {
	to, err := s.readHeader()
	if err != nil {
		return err
	}
	if err := s.reached(AtStreamHeader); err != nil {
		return err
	}
	header := "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'" +
		attr("from", s.srv.cfg.Domain) + attr("id", rand.Text()) + ">"
	if to != s.srv.cfg.Domain {
		return s.refuse(header + streamError("host-unknown", "This server does not serve "+to))
	}
	return s.write(header + "<stream:features>" + features + "</stream:features>")
}

// refuse writes last words and returns an error that ends the session.
func (s *Session) refuse(words string) error {
	if err := s.write(words); err != nil {
		return err
	}
	return fmt.Errorf("refused with %s", words)
}

func (s *Session) startTLS() error {
	if err := s.openStream("<starttls xmlns='" + nsTLS + "'><required/></starttls>"); err != nil {
		return err
	}
	el, err := s.readElement()
	if err != nil {
		return err
	}
	if el.XMLName.Local != "starttls" {
		return s.refuse(streamError("policy-violation", "Use STARTTLS first"))
	}
	if err := s.reached(AtStartTLS); err != nil {
		return err
	}
	if err := s.write("<proceed xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	return s.secure()
}

// secure does the TLS handshake.
func (s *Session) secure() error {
	if err := s.reached(AtTLSHandshake); err != nil {
		return err
	}
	c := tls.Server(s.conn, s.srv.tls)
	if err := c.Handshake(); err != nil {
		return err
	}
	s.rw, s.in = c, bufio.NewReader(c)
	return nil
}

// mechanisms returns the SASL mechanisms that can be offered on this
// connection.
func (s *Session) mechanisms() []string {
	list := slices.Clone(s.srv.cfg.Mechanisms)
	if _, secure := s.rw.(*tls.Conn); secure {
		return list
	}
	return slices.DeleteFunc(list, func(m string) bool { return strings.HasSuffix(m, plus) })
}

// enter lets user bind a resource, or resume a session before that.
func (s *Session) enter(user string) error {
	if err := s.openStream("<bind xmlns='" + nsBind + "'><required/></bind>" + s.management.feature()); err != nil {
		return err
	}
	for {
		el, err := s.readElement()
		if err != nil {
			return err
		}
		if el.XMLName.Space != nsSM || !s.management.Offered {
			return s.bindResource(user, el)
		}
		if resumed, err := s.resume(user, el); resumed || err != nil {
			return err
		}
	}
}

// bindResource answers the bind request of user.
func (s *Session) bindResource(user string, el Element) error {
	bind := el.Child("bind")
	if el.XMLName.Local != "iq" || bind.XMLName.Space != nsBind {
		return s.refuse(streamError("not-authorized", "Bind a resource first"))
	}
	if err := s.reached(AtBind); err != nil {
		return err
	}
	resource := bind.Child("resource").Text
	if resource == "" {
		resource = rand.Text()
	}
	s.jid = user + "@" + s.srv.cfg.Domain + "/" + resource
	return s.srv.bind(s, "<iq type='result'"+attr("id", el.Attr("id"))+"><bind xmlns='"+nsBind+"'><jid>"+
		escape(s.jid)+"</jid></bind></iq>")
}
