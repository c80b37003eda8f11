package faulttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// finish publishes a last item at each node, waits for it everywhere, and
// judges what all streams got.
func (r *rig) finish() {
	r.t.Helper()
	r.stop()
	r.publishing.Wait()
	r.each((*publisher).end)
	for _, p := range r.publishers {
		p.mu.Lock()
		for _, err := range p.errs {
			r.t.Errorf("the server refuses what it should not: %v", err)
		}
		p.mu.Unlock()
	}
	r.wantEnd()
	r.hangUp()
	r.streaming.Wait()
	r.report()
}

// report judges what all streams got.
func (r *rig) report() {
	r.t.Helper()
	all := map[string]*finding{}
	events, opens := 0, 0
	for _, s := range r.streams {
		for _, p := range r.publishers {
			records := s.entries(p.node)
			if len(records) == 0 {
				continue
			}
			events += len(records)
			for _, f := range check(p.kind, p.history.all(), records) {
				add(all, p.node, s, f)
			}
		}
		s.mu.Lock()
		for _, f := range s.faults {
			add(all, "", s, f)
		}
		opens += s.opens
		s.mu.Unlock()
	}
	r.t.Logf("%d streams got %d events in %d responses, over %d XMPP sessions of the first gateway; published %s",
		len(r.streams), events, opens, r.link.dials(), r.published())
	for _, key := range slices.Sorted(maps.Keys(all)) {
		r.t.Error(all[key])
	}
}

// published tells how much there was to get.
func (r *rig) published() string {
	var texts []string
	for i, p := range r.publishers {
		if i == 6 {
			return strings.Join(texts, ", ") + fmt.Sprintf(", and at %d more nodes", len(r.publishers)-i)
		}
		n := map[outcome]int{}
		for _, o := range p.history.all() {
			n[o.outcome]++
		}
		texts = append(texts, fmt.Sprintf("%s %d (%d not answered)", p.node, n[done], n[unsure]))
	}
	return strings.Join(texts, ", ")
}

// A finding is all faults of one sort.
type finding struct {
	sort     string
	n        int
	streams  map[string]bool
	examples []string
}

func add(all map[string]*finding, node string, s *stream, f fault) {
	sort := strings.TrimSpace(node + " " + f.what)
	if len(s.nodes) > 1 {
		sort += ", in a stream of several nodes"
	}
	found := all[sort]
	if found == nil {
		found = &finding{sort: sort, streams: map[string]bool{}}
		all[sort] = found
	}
	found.n++
	found.streams[s.name] = true
	if len(found.examples) < 4 {
		found.examples = append(found.examples, fmt.Sprintf("stream %q: %s", s.name, f.text))
	}
}

func (f *finding) String() string {
	return fmt.Sprintf("%s: %d in %d streams, such as\n\t%s", f.sort, f.n, len(f.streams), strings.Join(f.examples, "\n\t"))
}
