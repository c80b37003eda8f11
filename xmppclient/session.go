package xmppclient

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// goodbye is how long the server may take to let us go.
const goodbye = 2 * time.Second

var (
	errStreamClosed = errors.New("the server closed the stream")
	errLoggedOut    = errors.New("logged out")
)

// A session is one login, from the bound resource to the end of the stream.
type session struct {
	client   *Client
	link     *link
	xmpp     *xmpp.Session
	jid      string // the full JID that the server bound
	resumed  bool   // it goes on with the one before
	requests requests

	// Owned by the goroutine that reads the stream:
	decoder eventDecoder
	barrier string // the id of a request whose reply comes after all that was missed; "" after it
}

// serve reads the stream until it ends, and returns why it did. It calls up
// when requests can be made. When ctx ends it logs out. Everything that it
// started has ended when it returns.
func (s *session) serve(ctx context.Context, up func()) error {
	s.link.start()
	ended := make(chan struct{})
	working, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(s.link.writeLoop)
	wg.Go(func() { s.watch(working) })
	wg.Go(func() { s.logOut(ctx, ended) })
	s.client.enter(s)
	up()
	s.awaitMissed()
	wg.Go(func() { s.client.keepSubscribed(working) })

	err := s.xmpp.Serve(s)
	if err == nil {
		err = errStreamClosed
	}
	said := err == errStreamClosed || errors.As(err, new(stream.Error))
	if broken := s.link.err(); said || broken == nil || errors.Is(broken, errStanzaTooLarge) {
		s.client.resumption.forget() // the server ended it, or what it sent did
	}
	s.link.drop(err)
	// If the link broke first, Serve's error is only how that looked, unless
	// the server said why: then it was mellium's goodbye that broke it.
	if !said {
		err = s.link.err()
	}
	s.client.leave()
	close(ended)
	stop(ErrDisconnected)
	s.requests.end()
	wg.Wait()
	return fmt.Errorf("session of %s ended: %w", s.jid, err)
}

// logOut waits for ctx to end and then closes the stream (RFC 6120 §4.4),
// after our subscriptions. It returns when the session has ended.
func (s *session) logOut(ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	s.client.leave() // no more requests
	s.unsubscribeAll()
	// If this fails the link is broken, and the session at its end.
	_ = s.xmpp.Close()
	select {
	case <-ended:
	case <-time.After(goodbye):
		s.link.drop(errLoggedOut)
		<-ended
	}
}

// awaitMissed sees to it that the end of what the server sends again in a
// session that was resumed is known. It does so before anything else.
func (s *session) awaitMissed() {
	if s.resumed {
		s.barrier = newID()
		s.ping(s.barrier)
	}
}

// HandleXMPP is called by mellium for each top-level element, on the goroutine
// that reads the stream. It never returns an error, since any would end the
// session: a stream that is broken is dropped here, and nothing else matters
// to more than one stanza.
func (s *session) HandleXMPP(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	r := &reader{tokens: t}
	err := s.handle(t, r, *start)
	if err == nil {
		err = r.skip(-1) // a panic may have left something
	}
	switch {
	case err == nil && start.Name.Space == stanza.NSClient:
		s.client.resumption.handled++
	case err == nil && start.Name.Space == nsSM:
		s.manage(*start)
	case err != nil:
		if s.link.err() == nil {
			s.client.resumption.forget() // it would come again
		}
		s.link.drop(fmt.Errorf("reading a %s stanza: %w", start.Name.Local, err))
	}
	s.link.nextStanza()
	return nil
}

// handle handles one stanza. An error means that the stream is broken; a panic
// costs no more than the stanza.
func (s *session) handle(t xmlstream.TokenReadEncoder, r *reader, start xml.StartElement) error {
	defer func() {
		if p := recover(); p != nil {
			s.client.cfg.OnFault(fmt.Errorf("panic while handling a %s stanza: %v\n%s", start.Name.Local, p, debug.Stack()))
		}
	}()
	typ := attr(start, "type")
	switch {
	case start.Name == xml.Name{Space: stanza.NSServer, Local: "iq"}:
		return answer(t, r, start) // as mellium would
	case start.Name.Space != stanza.NSClient:
		return r.skip(-1)
	case start.Name.Local == "message" && typ != "error":
		return s.message(r, start)
	case start.Name.Local == "iq" && (typ == "result" || typ == "error"):
		return s.reply(r, s.withFrom(start))
	case start.Name.Local == "iq":
		return answer(t, r, start)
	}
	return r.skip(-1)
}

// withFrom puts back the sender's address where mellium takes it away: it is
// our own account then.
func (s *session) withFrom(start xml.StartElement) xml.StartElement {
	if attr(start, "from") == "" {
		own := xml.Attr{Name: xml.Name{Local: "from"}, Value: s.client.cfg.Account.Bare().String()}
		start.Attr = append([]xml.Attr{own}, start.Attr...)
	}
	return start
}

// message reads a message to its end, and only then tells of its events: half
// a stanza is none. Anybody can send us an event, so only that of a service
// where we have subscriptions counts.
func (s *session) message(r *reader, start xml.StartElement) error {
	c := s.client
	service := attr(start, "from")
	if service == "" {
		service = c.cfg.Account.Bare().String()
	}
	if !c.subscribesAt(service) {
		return r.skip(-1)
	}
	s.decoder.payload.limit = int(c.maxEvent.Load())
	events, err := s.decoder.decode(r, service)
	if err != nil {
		return err
	}
	for i := range events {
		if s.barrier != "" {
			events[i].Delayed = time.Time{} // by the link, and not by the service
		}
		if c.expects(&events[i]) {
			c.cfg.OnEvent(events[i])
		}
	}
	clear(events) // the decoder keeps the slice, but need not keep the payloads
	return nil
}

// answer answers an IQ request: a ping (XEP-0199) with a result, any other with
// an error. mellium would answer too, but end the session over the address of
// a sender that it cannot parse.
func answer(t xmlstream.TokenReadEncoder, r *reader, start xml.StartElement) error {
	ping := false
	if err := r.child(nsPing, "ping", func(xml.StartElement) error {
		ping = true
		return nil
	}); err != nil {
		return err
	}
	reply := xml.StartElement{Name: xml.Name{Local: "iq"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "type"}, Value: "result"},
		{Name: xml.Name{Local: "id"}, Value: attr(start, "id")},
	}}
	if from := attr(start, "from"); from != "" {
		reply.Attr = append(reply.Attr, xml.Attr{Name: xml.Name{Local: "to"}, Value: from})
	}
	var inside xml.TokenReader
	if !ping {
		reply.Attr[0].Value = "error"
		inside = stanza.Error{Type: stanza.Cancel, Condition: stanza.ServiceUnavailable}.TokenReader()
	}
	_, err := xmlstream.Copy(t, xmlstream.Wrap(inside, reply))
	return err
}
