package xmpptest

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"testing"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

// melliumSM is a client of stream management for mellium.im/xmpp, which has
// none.
type melliumSM struct {
	id      string
	jid     jid.JID
	handled int
	resumed bool
	got     []string // ids of messages
}

// bind resumes the session before, or binds and enables.
func (m *melliumSM) bind() xmpp.StreamFeature {
	f := xmpp.BindResource()
	bind := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *xmpp.Session, data any) (xmpp.SessionState, io.ReadWriter, error) {
		if _, ok := s.Feature(nsSM); !ok {
			return 0, nil, errors.New("stream management is not offered")
		}
		if m.id != "" {
			return m.resume(s)
		}
		state, rw, err := bind(ctx, s, data)
		if err == nil {
			_, err = fmt.Fprintf(s.Conn(), "<enable xmlns='%s' resume='true'/>", nsSM)
		}
		return state, rw, err
	}
	return f
}

func (m *melliumSM) resume(s *xmpp.Session) (xmpp.SessionState, io.ReadWriter, error) {
	if _, err := fmt.Fprintf(s.Conn(), "<resume xmlns='%s' h='%d' previd='%s'/>", nsSM, m.handled, m.id); err != nil {
		return 0, nil, err
	}
	r := s.TokenReader()
	defer r.Close()
	var answer struct{ XMLName xml.Name }
	if err := xml.NewTokenDecoder(r).Decode(&answer); err != nil {
		return 0, nil, err
	}
	m.resumed = answer.XMLName.Local == "resumed"
	s.UpdateAddr(m.jid)
	return xmpp.Ready, nil, nil
}

// HandleXMPP acknowledges, and leaves when it gets the message "leave".
func (m *melliumSM) HandleXMPP(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	value := func(name string) string { return Element{Attrs: start.Attr}.Attr(name) }
	switch start.Name.Local {
	case "enabled":
		m.id = value("id")
	case "message":
		m.got = append(m.got, value("id"))
		m.handled++
	case "r":
		_, err := xmlstream.Copy(t, xmlstream.Wrap(nil, xml.StartElement{
			Name: xml.Name{Space: nsSM, Local: "a"},
			Attr: []xml.Attr{{Name: xml.Name{Local: "h"}, Value: fmt.Sprint(m.handled)}},
		}))
		return err
	}
	return nil
}

// TestMelliumResumes resumes a session with an implementation of streams that is
// not ours.
func TestMelliumResumes(t *testing.T) {
	srv := start(t, Config{StreamManagement: managed})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := &melliumSM{}
	run := func(during func(*Session)) {
		t.Helper()
		conn := melliumConn(t, srv)
		s, err := xmpp.NewClientSession(ctx, jid.MustParse("alice@localhost/r"), conn,
			xmpp.StartTLS(clientTLS(srv)), xmpp.SASL("", "secret", sasl.ScramSha256), m.bind())
		if err != nil {
			t.Fatal(err)
		}
		m.jid = s.LocalAddr()
		served := make(chan struct{}) // joined below
		go func() {
			defer close(served)
			_ = s.Serve(m) // the server cuts it
		}()
		during(waitSession(t, srv))
		<-served
		conn.Close()
	}
	var first *Session
	run(func(s *Session) {
		first = s
		if _, err := s.WaitReceived(ctx, "<enable "); err != nil {
			t.Fatal(err)
		}
		_ = s.Send("<message id='1'/>")
		if _, err := s.WaitReceived(ctx, "h='1'"); err != nil {
			t.Fatal(err)
		}
		s.CutAfter(0)
	})
	_ = first.Send("<message id='2'/>")
	run(func(s *Session) {
		if s.JID() != first.JID() {
			t.Errorf("%s goes on as %s", first.JID(), s.JID())
		}
		if _, err := s.WaitReceived(ctx, "h='2'"); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, 2, 0)
		s.CutAfter(0)
	})
	if !m.resumed || len(m.got) != 2 || m.got[1] != "2" {
		t.Errorf("resumed %t, got %q", m.resumed, m.got)
	}
}
