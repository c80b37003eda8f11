package caddymodule

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// A pattern says which nodes may be shown. It is a list of literals,
// placeholders and asterisks, taken apart before anything is put in, so that
// what a placeholder stands for is never read as a pattern.
type pattern []token

type token struct {
	kind tokenKind
	text string // the literal, or the name of the placeholder
}

type tokenKind int

const (
	literal tokenKind = iota
	placeholder
	anything
)

// parsePattern parses one argument of the nodes option.
func parsePattern(s string) (pattern, error) {
	var p pattern
	for rest := s; rest != ""; {
		i := strings.IndexAny(rest, "*{")
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			p = append(p, token{literal, rest[:i]})
			rest = rest[i:]
			continue
		}
		if rest[0] == '*' {
			p = append(p, token{kind: anything})
			rest = rest[1:]
			continue
		}
		name, after, ok := strings.Cut(rest[1:], "}")
		if !ok || name == "" {
			return nil, fmt.Errorf("nodes: %q has a { that starts no placeholder", s)
		}
		p = append(p, token{placeholder, name})
		rest = after
	}
	if len(p) == 0 {
		return nil, fmt.Errorf("nodes: an empty pattern matches nothing")
	}
	return p, nil
}

// match reports whether the whole of name matches. The values that placeholders
// stand for may come from whoever makes the request: one that is empty or has
// a slash could reach into what is not theirs, and matches nothing.
func (p pattern) match(name string, repl *caddy.Replacer) bool {
	parts := []string{""} // what has to be between the asterisks
	for _, t := range p {
		switch t.kind {
		case anything:
			parts = append(parts, "")
			continue
		case placeholder:
			value, ok := repl.Get(t.text)
			t.text = caddy.ToString(value)
			if !ok || t.text == "" || strings.Contains(t.text, "/") {
				return false
			}
		}
		parts[len(parts)-1] += t.text
	}
	return matchParts(name, parts)
}

// matchParts reports whether name is the parts with anything between them.
func matchParts(name string, parts []string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return name == first
	}
	rest, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, last)
}

// mayShow reports whether the nodes option allows the node. Without the option
// that is for the service to say.
func (h *Handler) mayShow(name string, repl *caddy.Replacer) bool {
	for _, p := range h.allowed {
		if p.match(name, repl) {
			return true
		}
	}
	return len(h.allowed) == 0
}
