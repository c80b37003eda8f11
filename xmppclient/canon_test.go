package xmppclient

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// canonical returns what s says in a form that is equal for all ways to say
// it: names with their namespaces, sorted attributes, text that is not cut.
func canonical(s string) (string, error) {
	d := xml.NewDecoder(strings.NewReader("<root xmlns='" + nsPubSub + "'>" + s + "</root>"))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	return canonicalInside(d)
}

// canonicalInside is canonical of what is in the element that is open in d.
func canonicalInside(d xml.TokenReader) (string, error) {
	var b strings.Builder
	for depth := 1; depth > 0; {
		tok, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			fmt.Fprintf(&b, "<%q %q", t.Name.Space, t.Name.Local)
			for _, a := range canonicalAttrs(t.Attr) {
				fmt.Fprintf(&b, " %s", a)
			}
			b.WriteByte('>')
		case xml.EndElement:
			if depth--; depth > 0 {
				b.WriteString("</>")
			}
		case xml.CharData:
			b.WriteString(strings.ReplaceAll(string(t), "<", "&lt;"))
		}
	}
	return b.String(), nil
}

// canonicalAttrs sorts the attributes. Of two with one name the first counts.
func canonicalAttrs(attrs []xml.Attr) (list []string) {
	seen := map[xml.Name]bool{}
	for _, a := range attrs {
		if _, ok := declares(a.Name); ok || seen[a.Name] {
			continue
		}
		seen[a.Name] = true
		list = append(list, fmt.Sprintf("%q %q=%q", a.Name.Space, a.Name.Local, a.Value))
	}
	slices.Sort(list)
	return list
}

// strict reads s as one that Namespaces in XML 1.0 has taught: it reports what
// Go's decoder lets pass.
func strict(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	scopes := []map[string]string{{"xml": nsXML}}
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			if len(scopes) != 1 {
				return errors.New("an element is not closed")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			scope, err := strictScope(scopes[len(scopes)-1], t.Attr)
			if err == nil {
				err = strictStart(scope, t)
			}
			if err != nil {
				return err
			}
			scopes = append(scopes, scope)
		case xml.EndElement:
			if scopes = scopes[:len(scopes)-1]; len(scopes) == 0 {
				return errors.New("an element too many is closed")
			}
		}
	}
}

func strictScope(outer map[string]string, attrs []xml.Attr) (map[string]string, error) {
	scope := map[string]string{}
	for prefix, uri := range outer {
		scope[prefix] = uri
	}
	for _, a := range attrs {
		prefix := a.Name.Local
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			prefix = ""
		case a.Name.Space != "xmlns":
			continue
		case a.Value == "" || prefix == "xml" || prefix == "xmlns" || !isStrictName(prefix):
			return nil, fmt.Errorf("xmlns:%s=%q", prefix, a.Value)
		}
		if a.Value == nsXML || a.Value == nsXMLNS {
			return nil, fmt.Errorf("prefix %q declared as %q", prefix, a.Value)
		}
		scope[prefix] = a.Value
	}
	return scope, nil
}

func strictStart(scope map[string]string, t xml.StartElement) error {
	names := []xml.Name{t.Name}
	seen, written := map[xml.Name]bool{}, map[xml.Name]bool{}
	for _, a := range t.Attr {
		if written[a.Name] {
			return fmt.Errorf("attribute %v is there twice", a.Name)
		}
		written[a.Name] = true
		if _, ok := declares(a.Name); ok {
			continue
		}
		names = append(names, a.Name)
		expanded := xml.Name{Local: a.Name.Local}
		if a.Name.Space != "" {
			expanded.Space = scope[a.Name.Space]
		}
		if seen[expanded] {
			return fmt.Errorf("attribute %v is there twice", expanded)
		}
		seen[expanded] = true
	}
	for _, name := range names {
		if name.Space != "" && scope[name.Space] == "" {
			return fmt.Errorf("prefix %q is not declared", name.Space)
		}
		if !isStrictName(name.Local) || name.Space != "" && !isStrictName(name.Space) {
			return fmt.Errorf("%v is no name", name)
		}
	}
	return nil
}

// isStrictName reports whether s is an NCName of XML 1.0, fifth edition, as far
// as Go's decoder does not see to that.
func isStrictName(s string) bool {
	for i, c := range s {
		inside := c == '-' || c == '.' || c == '\u00b7' || unicode.Is(unicode.Nd, c) && c < 0x80 || c >= 0x300 && c <= 0x36f
		if c == ':' || i == 0 && inside {
			return false
		}
	}
	return s != ""
}

// For the tests in package xmppclient_test.
var (
	Canonical = canonical
	Strict    = strict
)
