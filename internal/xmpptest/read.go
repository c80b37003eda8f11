package xmpptest

import (
	"encoding/xml"
	"errors"
	"io"
)

// errStreamClosed says that the client has closed its stream as it should.
var errStreamClosed = errors.New("stream closed")

// run negotiates the session and reads it to its end. It returns when the
// connection is closed and both goroutines have ended.
func (s *Session) run() {
	defer s.conn.Close()
	if err := s.negotiate(); err != nil {
		return
	}
	written := make(chan struct{}) // the writing goroutine has ended; joined below
	go func() {
		defer close(written)
		s.writeLoop()
	}()

	if s.readStanzas() == errStreamClosed {
		s.srv.unbind(s)
		s.end("</stream:stream>")
	} else {
		s.srv.lose(s)
		s.conn.Close()
		s.end("")
	}
	close(s.readDone)
	<-written
}

// readStanzas handles stanzas until the stream or the connection ends.
func (s *Session) readStanzas() error {
	for {
		el, err := s.readElement()
		if err != nil {
			return err
		}
		if el.XMLName.Space == nsSM {
			s.handleSM(el)
		}
		if s.record(el) {
			s.handle(el)
		}
	}
}

// record remembers el, and counts it. It returns false if the session has
// ended, so that el is not to be answered.
func (s *Session) record(el Element) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, el.String())
	close(s.news)
	s.news = make(chan struct{})
	if el.XMLName.Local == "presence" && el.Attr("to") == "" {
		s.available = el.Attr("type") == ""
	}
	if s.ledger != nil && !s.ended && isStanza(el.XMLName.Local) {
		s.ledger.handled++
	}
	return !s.ended
}

// readElement reads the next child of the stream.
func (s *Session) readElement() (Element, error) {
	for {
		tok, err := s.dec.Token()
		if err != nil {
			return Element{}, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			var el Element
			err := s.dec.DecodeElement(&el, &tok)
			return el, err
		case xml.EndElement:
			return Element{}, errStreamClosed
		}
	}
}

// readHeader reads the start of a new stream, and returns the host it is for.
func (s *Session) readHeader() (to string, err error) {
	s.dec = xml.NewDecoder(s.in)
	for {
		tok, err := s.dec.Token()
		if err != nil {
			return "", err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name != (xml.Name{Space: "http://etherx.jabber.org/streams", Local: "stream"}) {
			return "", errors.New("not a stream header: " + start.Name.Local)
		}
		return Element{Attrs: start.Attr}.Attr("to"), nil
	}
}

// write writes raw at once, which only negotiation does.
func (s *Session) write(raw string) error {
	_, err := io.WriteString(s.rw, raw)
	return err
}
