package xmppclient

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Namespaces of what is read and written here.
const (
	nsPubSub       = "http://jabber.org/protocol/pubsub"
	nsPubSubErrors = "http://jabber.org/protocol/pubsub#errors"
	nsPubSubEvent  = "http://jabber.org/protocol/pubsub#event"
	nsDiscoInfo    = "http://jabber.org/protocol/disco#info"
	nsDiscoItems   = "http://jabber.org/protocol/disco#items"
	nsDelay        = "urn:xmpp:delay"
	nsPing         = "urn:xmpp:ping"
	nsData         = "jabber:x:data"
	nsStanzas      = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsBind         = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSM           = "urn:xmpp:sm:3"
)

// maxDepth bounds how deep elements may be nested in a stanza: the decoder
// remembers each that is open. Nothing that means something comes near it.
const maxDepth = 10_000

var errTooDeep = fmt.Errorf("a stanza nests elements deeper than %d", maxDepth)

// A reader reads the inside of one stanza and knows how deep it is in it.
type reader struct {
	tokens xml.TokenReader
	depth  int // open elements within the stanza; -1 after its end
}

// next returns the next token. It returns io.EOF at the end of the stanza; all
// other errors mean that the stream is broken.
func (r *reader) next() (xml.Token, error) {
	if r.depth < 0 {
		return nil, io.EOF
	}
	tok, err := r.tokens.Token()
	if tok == nil {
		if err == nil {
			err = io.ErrNoProgress
		}
		if errors.Is(err, io.EOF) {
			r.depth = -1
		}
		return nil, err
	}
	// An error beside a token comes again with the next.
	switch tok.(type) {
	case xml.StartElement:
		if r.depth++; r.depth > maxDepth {
			return nil, errTooDeep
		}
	case xml.EndElement:
		r.depth--
	}
	return tok, nil
}

// children calls f for each child of the element that is open. f may read what
// is inside the child; what it leaves is skipped.
func (r *reader) children(f func(xml.StartElement) error) error {
	parent := r.depth
	for {
		tok, err := r.next()
		if errors.Is(err, io.EOF) && parent == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := f(t); err != nil {
				return err
			}
			if err := r.skip(parent); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// child calls f for the children that have the name, as children does.
func (r *reader) child(space, local string, f func(xml.StartElement) error) error {
	return r.children(func(start xml.StartElement) error {
		if start.Name.Space != space || start.Name.Local != local {
			return nil
		}
		return f(start)
	})
}

// skip reads until depth elements are open; -1 is the end of the stanza.
func (r *reader) skip(depth int) error {
	for r.depth > depth {
		if _, err := r.next(); err != nil && !(depth == -1 && errors.Is(err, io.EOF)) {
			return err
		}
	}
	return nil
}

// maxText bounds what text returns: nothing that it is used for is long.
const maxText = 4 << 10

// text returns the character data of the element that is open, less what is
// over maxText, and leaves it.
func (r *reader) text() (string, error) {
	var b strings.Builder
	for parent := r.depth; r.depth >= parent; {
		tok, err := r.next()
		if err != nil {
			return "", err
		}
		if data, ok := tok.(xml.CharData); ok {
			b.Write(data[:min(len(data), maxText-b.Len())])
		}
	}
	return strings.ToValidUTF8(b.String(), ""), nil
}

// nextElement returns the start of the next element, after white space that keeps
// the connection alive (RFC 6120 §4.6.1).
func nextElement(tokens xml.TokenReader) (xml.StartElement, error) {
	for {
		tok, err := tokens.Token()
		if start, ok := tok.(xml.StartElement); ok {
			return start, nil
		}
		if _, space := tok.(xml.CharData); !space {
			if err == nil {
				err = fmt.Errorf("%w: %T in place of an element", errNoResult, tok)
			}
			return xml.StartElement{}, err
		}
		if err != nil {
			return xml.StartElement{}, err
		}
	}
}

// attr returns the value of the attribute without a namespace that has the
// name, or "".
func attr(start xml.StartElement, local string) string {
	for _, a := range start.Attr {
		if a.Name.Local == local && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// escape returns s as it is written between single quotes in an attribute.
func escape(s string) string {
	return string(appendAttr(nil, s))
}

// isXML reports whether XML can carry the characters of s (XML 1.0 §2.2).
func isXML(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
	})
}
