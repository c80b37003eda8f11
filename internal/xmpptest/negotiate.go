package xmpptest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

const (
	nsTLS  = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind = "urn:ietf:params:xml:ns:xmpp-bind"
)

// negotiate leads the client to a bound resource. It returns the answer to the
// bind request, which is yet to be sent.
func (s *Session) negotiate() (result string, err error) {
	s.reached(AtAccept)
	switch {
	case s.srv.cfg.DirectTLS:
		err = s.secure()
	case !s.srv.cfg.NoTLS:
		err = s.startTLS()
	}
	if err != nil {
		return "", err
	}
	user, err := s.authenticate()
	if err != nil {
		return "", err
	}
	return s.bindResource(user)
}

// reached falls silent if this is the stage to do so.
func (s *Session) reached(stage Stage) {
	if s.silentAt == stage {
		s.conn.hang()
	}
}

// openStream answers a stream header with our own and these features.
func (s *Session) openStream(features string) error {
	to, err := s.readHeader()
	if err != nil {
		return err
	}
	s.reached(AtStreamHeader)
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
	s.reached(AtStartTLS)
	if err := s.write("<proceed xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	return s.secure()
}

// secure does the TLS handshake.
func (s *Session) secure() error {
	s.reached(AtTLSHandshake)
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

// bindResource reads the bind request of user and returns its answer.
func (s *Session) bindResource(user string) (result string, err error) {
	if err := s.openStream("<bind xmlns='" + nsBind + "'><required/></bind>"); err != nil {
		return "", err
	}
	el, err := s.readElement()
	if err != nil {
		return "", err
	}
	bind := el.Child("bind")
	if el.XMLName.Local != "iq" || bind.XMLName.Space != nsBind {
		return "", s.refuse(streamError("not-authorized", "Bind a resource first"))
	}
	s.reached(AtBind)
	resource := bind.Child("resource").Text
	if resource == "" {
		resource = rand.Text()
	}
	s.jid = user + "@" + s.srv.cfg.Domain + "/" + resource
	return "<iq type='result'" + attr("id", el.Attr("id")) + "><bind xmlns='" + nsBind + "'><jid>" +
		escape(s.jid) + "</jid></bind></iq>", nil
}
