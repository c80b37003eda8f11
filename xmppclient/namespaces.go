package xmppclient

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is how a payloadEncoder keeps track of namespaces: which
// declarations are in scope, which prefix a name is written with, and what has
// to be declared for it (Namespaces in XML 1.0).

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
		e.err = ErrMalformed
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
		e.err = ErrMalformed
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
		e.err = ErrMalformed
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
