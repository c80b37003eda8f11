package xmppclient

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

// Why a payload is not delivered. None of it concerns the stanza around it.
var (
	errPayloadTooLarge = errors.New("the payload is larger than the limit")
	errPayloadShape    = errors.New("the payload cannot be written as well-formed XML")
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
	if e.outer != "" {
		e.scope = append(e.scope, binding{"", e.outer})
	}
	for parent := r.depth; r.depth >= parent; {
		tok, err := r.next()
		if err != nil {
			return err
		}
		if e.err == nil && r.depth >= parent {
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
		if len(t) > 0 {
			e.closeTag()
			e.out = appendText(e.out, t)
		}
	}
	if e.limit > 0 && len(e.out) > e.limit {
		e.err = errPayloadTooLarge
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
		e.err = errPayloadShape
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
		e.err = errPayloadShape
		return
	}
	e.out = append(e.out, ' ')
	e.out = appendName(e.out, e.attributePrefix(scope, a.Name.Space), a.Name.Local)
	e.out = append(appendAttr(append(e.out, "='"...), a.Value), '\'')
}

// declares returns the prefix that an attribute of that name declares. A
// publisher that uses encoding/xml's Encoder declares xmlns:_xmlns='xmlns' and
// goes on with _xmlns:a='…', which is read as a declaration of a, and was one.
func declares(name xml.Name) (prefix string, ok bool) {
	switch {
	case name.Space == "xmlns":
		return name.Local, true
	case name.Space == "" && name.Local == "xmlns":
		return "", true
	}
	return "", false
}

// declare binds prefix to uri in the element whose declarations start at
// scope, unless Namespaces in XML forbids that.
func (e *payloadEncoder) declare(scope int, prefix, uri string) {
	switch {
	case prefix == "xml", prefix == "xmlns", uri == nsXML, uri == nsXMLNS,
		prefix != "" && uri == "", // only the default namespace can be undone
		prefix != "" && !isNCName(prefix):
		return
	}
	for i := scope; i < len(e.scope); i++ {
		if e.scope[i].prefix == prefix { // the last one counts
			e.scope = slices.Delete(e.scope, i, i+1)
			break
		}
	}
	if e.lookup(prefix) != uri { // or it is so already
		e.bind(prefix, uri)
	}
}

func (e *payloadEncoder) bind(prefix, uri string) {
	if len(e.scope) == maxScope {
		e.err = errPayloadShape
		return
	}
	e.scope = append(e.scope, binding{prefix, uri})
}

// lookup returns what prefix is bound to, "" if it is not.
func (e *payloadEncoder) lookup(prefix string) string {
	for i := len(e.scope) - 1; i >= 0; i-- {
		if e.scope[i].prefix == prefix {
			return e.scope[i].uri
		}
	}
	return ""
}

// declaredSince reports whether the element whose declarations start at scope
// declares prefix itself.
func (e *payloadEncoder) declaredSince(scope int, prefix string) bool {
	for _, b := range e.scope[scope:] {
		if b.prefix == prefix {
			return true
		}
	}
	return false
}

// prefixOf returns a prefix, other than the default, that is bound to uri.
func (e *payloadEncoder) prefixOf(uri string) (string, bool) {
	for i := len(e.scope) - 1; i >= 0; i-- {
		b := e.scope[i]
		if b.uri == uri && b.prefix != "" && e.lookup(b.prefix) == uri {
			return b.prefix, true
		}
	}
	return "", false
}

// elementPrefix returns the prefix with which an element is in the namespace
// uri, and declares it if it has to.
func (e *payloadEncoder) elementPrefix(scope int, uri string) string {
	switch uri {
	case nsXML:
		return "xml"
	case nsXMLNS: // no prefix may be bound to it, nor the default
		e.err = errPayloadShape
		return ""
	}
	if e.lookup("") == uri {
		return ""
	}
	if prefix, ok := e.prefixOf(uri); ok && uri != "" {
		return prefix
	}
	if uri == e.inherited && uri != "" {
		uri = e.renamed
		if e.lookup("") == uri {
			return ""
		}
	}
	if uri != "" && e.declaredSince(scope, "") {
		return e.invent(uri)
	}
	e.declare(scope, "", uri)
	return ""
}

// attributePrefix returns the prefix with which an attribute is in the
// namespace uri, and declares it if it has to.
func (e *payloadEncoder) attributePrefix(scope int, uri string) string {
	switch uri {
	case "":
		return ""
	case nsXML:
		return "xml"
	case nsXMLNS:
		e.err = errPayloadShape
		return ""
	}
	if prefix, ok := e.prefixOf(uri); ok {
		return prefix
	}
	return e.invent(uri)
}

// invent declares a prefix of ours for uri.
func (e *payloadEncoder) invent(uri string) string {
	for n := 1; ; n++ {
		if prefix := fmt.Sprintf("ns%d", n); e.lookup(prefix) == "" {
			e.bind(prefix, uri)
			return prefix
		}
	}
}

func repeated(before []xml.Attr, name xml.Name) bool {
	for _, a := range before {
		if a.Name == name {
			return true
		}
	}
	return false
}

// isNCName reports whether s, which is a name or what came after the prefix of
// one, can be a name without a prefix. The decoder has seen to the characters
// that a name may have, but not to those it must not begin with, nor to its
// colons.
func isNCName(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return s != "" && !strings.Contains(s, ":") && !strings.ContainsRune("-."+extenders, first) &&
		!unicode.In(first, unicode.Nd, unicode.M)
}

// extenders are characters that may be in a name but not begin it, besides
// digits and combining characters (XML 1.0, fourth edition, appendix B).
const extenders = "\u00b7\u02d0\u02d1\u0387\u0640\u0e46\u0ec6\u3005\u3031\u3032\u3033\u3034\u3035\u309d\u309e\u30fc\u30fd\u30fe"

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
		return "", errPayloadShape
	}
	return e.result()
}
