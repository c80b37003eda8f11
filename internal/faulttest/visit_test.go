package faulttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A visit is a stream that begins with a last event ID, when "a" and "b" have
// three items each. The last item comes after that.
type visit struct {
	name  string
	id    string
	nodes []string
	// want are the sequences of which it may get one, of each node, whose name
	// is written as N. If there are none, any will do that is not absurd.
	want []string
	// newcomer is for the gateway only that has not followed the node.
	newcomer bool
}

const (
	unknown = "gap:unknown-id N.0 N.1 N.2 N.end"
	expired = "gap:expired N.0 N.1 N.2 N.end"
)

// known are last event IDs that a gateway has given.
type known struct {
	start string // of "a", before there was anything
	a, b  []string
	both  string // of both nodes, after all items
	gone  string // of "c", which then was deleted and created anew
}

// visits returns all that are to be tried.
func visits(ids known) []visit {
	a, both := []string{"a"}, []string{"a", "b"}
	all := []visit{
		{name: "no id", nodes: a, want: []string{"N.end"}},
		{name: "no id, both", nodes: both, want: []string{"N.end"}},
		{name: "the start", id: ids.start, nodes: a, want: []string{"N.0 N.1 N.2 N.end"}},
		{name: "first", id: ids.a[0], nodes: a, want: []string{"N.1 N.2 N.end"}},
		{name: "middle", id: ids.a[1], nodes: a, want: []string{"N.2 N.end"}},
		{name: "newest", id: ids.a[2], nodes: a, want: []string{"N.end"}},
		{name: "both", id: ids.both, nodes: both, want: []string{"N.end"}},
		{name: "item", id: "a.1", nodes: a, want: []string{"N.2 N.end"}},
		{name: "unknown item", id: "a.7", nodes: a, want: []string{unknown}},
		{name: "of another node", id: ids.b[1], nodes: a, want: []string{unknown}},
		{name: "item of another node", id: "b.1", nodes: a, want: []string{unknown}},
		{name: "of both nodes, at one", id: ids.both, nodes: a, want: []string{"N.end", unknown}},
		{name: "of one node, at both", id: ids.a[1], nodes: both},
		{name: "item without our part", id: "a.1,", nodes: a, want: []string{"N.2 N.end", unknown, expired}},
		{name: "item with a forged part", id: "a.1," + strings.Repeat("f", 40), nodes: a, want: []string{"N.2 N.end", unknown, expired}},
		{name: "nothing with a forged part", id: "," + strings.Repeat("f", 40), nodes: a, want: []string{unknown, "N.0 N.1 N.2 N.end"}},
		{name: "of a node that was made anew", id: ids.gone, nodes: []string{"c"}, newcomer: true, want: []string{"gap:unknown-id N.3 N.end", "gap:expired N.3 N.end"}},
	}
	for name, id := range garbage() {
		all = append(all,
			visit{name: name, id: id, nodes: a, want: []string{unknown}},
			visit{name: name + ", both", id: id, nodes: both, want: []string{unknown}})
	}
	return append(all, mangled(ids)...)
}

// garbage returns what nobody can make anything of.
func garbage() map[string]string {
	ids := map[string]string{
		"dot": ".", "percent": "%", "bad escape": "%ZZ,%", "zero": "\x00", "line end": "x\nevent: y\n",
		"not ASCII": "日本,é", "not UTF-8": "\xff\xfe", "many separators": strings.Repeat(",", 1000),
		"10 kB":              strings.Repeat("x", 10<<10),
		"10 kB, escaped":     strings.Repeat("%41", 3<<10),
		"10 kB after item":   "zzz," + strings.Repeat("x", 10<<10),
		"10 kB of positions": strings.Repeat("a=x.y,", 1<<10) + "z",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10 {
		id := make([]byte, 1+random.IntN(100))
		for at := range id {
			id[at] = byte('!' + random.IntN('~'-'!'+1))
		}
		ids[fmt.Sprint("random ", i)] = string(id)
	}
	return ids
}

// mangled returns visits with IDs that are almost right.
func mangled(ids known) []visit {
	var all []visit
	for _, id := range []string{ids.a[1], ids.both} {
		for at := 0; at < len(id); at += 1 + len(id)/20 {
			for name, wrong := range map[string]string{
				"cut":     id[:at],
				"changed": id[:at] + string(id[at]^1) + id[at+1:],
				"doubled": id[:at] + id,
			} {
				v := visit{name: fmt.Sprintf("%s at %d", name, at), id: wrong, nodes: []string{"a", "b"}}
				if id == ids.a[1] {
					v.nodes = v.nodes[:1]
				}
				all = append(all, v)
			}
		}
	}
	return all
}

// judge tells what is wrong about what the visit got of a node.
func (v visit) judge(t *testing.T, s *stream, node string) {
	t.Helper()
	var words []string
	for _, e := range s.entries(node) {
		switch e.what {
		case item:
			words = append(words, e.id)
		case gap:
			words = append(words, "gap:"+e.reason)
		default:
			words = append(words, fmt.Sprintf("%+v", e))
		}
	}
	got := strings.Join(words, " ")
	var want []string
	for _, w := range v.want {
		want = append(want, strings.ReplaceAll(w, "N.", node+"."))
	}
	if len(want) == 0 && absurd(words, node) {
		want = []string{"the node's items in their order"}
	}
	if len(want) > 0 && !slices.Contains(want, got) {
		t.Errorf("%s, last event ID %.100q: got of %s: %s\n\twant one of %q", s.name, v.id, node, got, want)
	}
}

// absurd tells whether a sequence is anything but some of the node's items in
// their order, perhaps after a gap, up to the last. A forged ID may name any
// place, and any state of the items before it.
func absurd(words []string, node string) bool {
	if len(words) > 0 && (words[0] == "gap:unknown-id" || words[0] == "gap:expired") {
		words = words[1:]
	}
	order := []string{node + ".0", node + ".1", node + ".2", node + ".end"}
	for _, word := range words {
		i := slices.Index(order, word)
		if i < 0 {
			return true
		}
		order = order[i+1:]
	}
	return len(order) > 0 // the last did not come
}

func TestAbsurd(t *testing.T) {
	for _, tt := range []struct {
		words string
		want  bool
	}{
		{"a.0 a.1 a.2 a.end", false}, {"a.end", false}, {"a.0 a.2 a.end", false}, {"gap:expired a.1 a.end", false},
		{"", true}, {"a.0", true}, {"a.1 a.0 a.end", true}, {"a.1 a.1 a.end", true}, {"b.0 a.end", true}, {"a.0 gap:expired a.end", true},
	} {
		if got := absurd(strings.Fields(tt.words), "a"); got != tt.want {
			t.Errorf("%q: %v", tt.words, got)
		}
	}
}
