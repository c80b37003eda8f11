package xmppclient

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"

	// Bounds of what a payload may look like, which keep its encoding linear
	// and every parser that comes after us alive.
	maxPayloadDepth = 256
	maxAttrs        = 256
	maxScope        = 128

	// maxSpare bounds the memory that is kept for the next payload.
	maxSpare = 1 << 20
)

// Why an item has no payload although there was one.
var (
	// ErrTooLarge means that it is over the limit, see [Client.SetMaxEvent].
	ErrTooLarge = errors.New("the payload is larger than the limit")
	// ErrMalformed means that it cannot be written as XML, or is so deep or
	// has so many attributes or namespaces that others might not survive it.
	ErrMalformed = errors.New("the payload cannot be written as well-formed XML")
)

// A payloadEncoder writes the tokens of a payload as XML that stands on its
// own: it starts from an empty scope, and declares a namespace where it is
// first needed. The prefixes that the payload declares are kept, used or not,
// since its text may speak of them (QNames in content).
//
// encoding/xml's Encoder does neither: it declares default namespaces twice
// and renames prefixes.
//
// A payloadEncoder is made to be used again; the zero value is ready.
type payloadEncoder struct {
	limit int    // bytes of output; 0 is unlimited
	out   []byte // the payload so far
	err   error  // why there is none

	outer     string // the default namespace of where the payload will be written
	inherited string // a default namespace that the payload takes from what is around it,
	renamed   string // and the one to write instead

	scope []binding // the declarations in scope, the innermost last
	open  []element // the elements that are open
	empty bool      // the innermost one has no content yet: its tag lacks the ">"

	print fingerprinter
}

type binding struct{ prefix, uri string }

type element struct {
	prefix, local string
	scope         int // len(scope) outside the element
}

// encode writes what is inside the element that is open in r, and leaves it.
// An error means that the stream is broken, and not that the payload is.
func (e *payloadEncoder) encode(r *reader) error {
	e.out, e.err, e.scope, e.open, e.empty = e.out[:0], nil, e.scope[:0], e.open[:0], false
	e.print.reset()
	if e.outer != "" {
		e.scope = append(e.scope, binding{"", e.outer})
	}
	for parent := r.depth; r.depth >= parent; {
		tok, err := r.next()
		if err != nil {
			return err
		}
		if r.depth < parent {
			break
		}
		e.print.token(tok)
		if e.err == nil {
			e.token(tok)
		}
	}
	return nil
}

// result returns the payload, or why there is none.
func (e *payloadEncoder) result() (string, error) {
	out := e.out
	if cap(out) > maxSpare {
		e.out = nil
	}
	if e.err != nil {
		return "", e.err
	}
	return string(out), nil
}

func (e *payloadEncoder) token(tok xml.Token) {
	switch t := tok.(type) {
	case xml.StartElement:
		e.start(t)
	case xml.EndElement:
		e.end()
	case xml.CharData:
		if len(t) > 0 && (e.limit == 0 || len(e.out)+len(t) <= e.limit) {
			e.closeTag()
			e.out = appendText(e.out, t)
		} else if len(t) > 0 {
			e.err = ErrTooLarge // which its escaped form might be many times over
		}
	}
	if e.limit > 0 && len(e.out) > e.limit {
		e.err = ErrTooLarge
	}
}

// closeTag writes the ">" that the innermost start tag lacks.
func (e *payloadEncoder) closeTag() {
	if e.empty {
		e.out = append(e.out, '>')
		e.empty = false
	}
}

func (e *payloadEncoder) start(t xml.StartElement) {
	if len(e.open) == maxPayloadDepth || len(t.Attr) > maxAttrs || !isNCName(t.Name.Local) {
		e.err = ErrMalformed
		return
	}
	e.closeTag()
	el := element{local: t.Name.Local, scope: len(e.scope)}
	for _, a := range t.Attr {
		if prefix, ok := declares(a.Name); ok {
			e.declare(el.scope, prefix, a.Value)
		}
	}
	el.prefix = e.elementPrefix(el.scope, t.Name.Space)
	e.out = append(e.out, '<')
	e.out = appendName(e.out, el.prefix, el.local)
	for i, a := range t.Attr {
		if _, ok := declares(a.Name); !ok && !repeated(t.Attr[:i], a.Name) {
			e.attribute(el.scope, a)
		}
	}
	for _, b := range e.scope[el.scope:] {
		e.out = append(e.out, " xmlns"...)
		if b.prefix != "" {
			e.out = append(append(e.out, ':'), b.prefix...)
		}
		e.out = append(appendAttr(append(e.out, "='"...), b.uri), '\'')
	}
	e.open = append(e.open, el)
	e.empty = true
}

func (e *payloadEncoder) end() {
	last := len(e.open) - 1
	el := e.open[last]
	if e.empty {
		e.out = append(e.out, "/>"...)
		e.empty = false
	} else {
		e.out = append(appendName(append(e.out, "</"...), el.prefix, el.local), '>')
	}
	e.open, e.scope = e.open[:last], e.scope[:el.scope]
}

func (e *payloadEncoder) attribute(scope int, a xml.Attr) {
	if !isNCName(a.Name.Local) {
		e.err = ErrMalformed
		return
	}
	e.out = append(e.out, ' ')
	e.out = appendName(e.out, e.attributePrefix(scope, a.Name.Space), a.Name.Local)
	e.out = append(appendAttr(append(e.out, "='"...), a.Value), '\'')
}

func repeated(before []xml.Attr, name xml.Name) bool {
	for _, a := range before {
		if a.Name == name {
			return true
		}
	}
	return false
}

func appendName(dst []byte, prefix, local string) []byte {
	if prefix != "" {
		dst = append(append(dst, prefix...), ':')
	}
	return append(dst, local...)
}

// wellFormed returns the payload that s spells, encoded as above, as it is
// written in an item to be published.
func wellFormed(s string) (string, error) {
	d := xml.NewDecoder(strings.NewReader("<item>" + s + "</item>"))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	e := payloadEncoder{outer: nsPubSub}
	r := &reader{tokens: d}
	if err := e.encode(r); err != nil {
		return "", err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", ErrMalformed
	}
	return e.result()
}
