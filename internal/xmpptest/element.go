package xmpptest

import (
	"encoding/xml"
	"strings"
)

// Element is a decoded XML element.
type Element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"` // with the namespace declarations
	Text     string     `xml:",chardata"`
	Inner    string     `xml:",innerxml"` // the content as it came
	Children []Element  `xml:",any"`
}

// Attr returns the value of the attribute without prefix called name, or "".
func (e Element) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Child returns the first child called name, whatever its namespace, or an
// empty Element.
func (e Element) Child(name string) Element {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c
		}
	}
	return Element{}
}

// String writes the element: the tag anew, its content as it came.
func (e Element) String() string {
	var b strings.Builder
	b.WriteString("<" + e.XMLName.Local)
	for _, a := range e.Attrs {
		name := a.Name.Local
		switch a.Name.Space {
		case "":
		case "xmlns":
			name = "xmlns:" + name
		default:
			// The prefix is lost in decoding. On a stanza it is xml:lang's.
			name = "xml:" + name
		}
		b.WriteString(attr(name, a.Value))
	}
	if e.Inner == "" {
		return b.String() + "/>"
	}
	return b.String() + ">" + e.Inner + "</" + e.XMLName.Local + ">"
}

// attr returns an attribute as it is written, with the space in front.
func attr(name, value string) string {
	return " " + name + "='" + escape(value) + "'"
}

// attrIf is attr, or nothing if value is empty.
func attrIf(name, value string) string {
	if value == "" {
		return ""
	}
	return attr(name, value)
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// payload returns the one child of item such that it means the same when it is
// written elsewhere: namespaces it inherits from its ancestors, which are
// listed from the outermost on and end with item, are declared on itself.
func payload(ancestors ...Element) (string, bool) {
	item := ancestors[len(ancestors)-1]
	raw := strings.TrimSpace(item.Inner)
	if len(item.Children) != 1 || strings.TrimSpace(item.Text) != "" || len(raw) < 2 || strings.ContainsAny(raw[1:2], "!?") {
		return "", false
	}
	inherited := map[string]string{}
	for _, e := range ancestors {
		for _, a := range e.Attrs {
			if name, ok := declaration(a); ok {
				inherited[name] = a.Value
			}
		}
	}
	for _, a := range item.Children[0].Attrs {
		if name, ok := declaration(a); ok {
			delete(inherited, name)
		}
	}
	end := strings.IndexAny(raw, " \t\r\n/>")
	tag := raw[:end]
	for name, value := range inherited {
		prefix, used := strings.CutPrefix(name, "xmlns:")
		if !used || strings.Contains(raw, prefix+":") {
			tag += attr(name, value)
		}
	}
	return tag + raw[end:], true
}

// declaration returns the name under which a declares a namespace, if it does.
func declaration(a xml.Attr) (string, bool) {
	switch {
	case a.Name.Space == "xmlns":
		return "xmlns:" + a.Name.Local, true
	case a.Name.Space == "" && a.Name.Local == "xmlns":
		return "xmlns", true
	}
	return "", false
}
