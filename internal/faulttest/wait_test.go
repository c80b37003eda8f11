package faulttest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// wantStanding waits until the subscriptions of all streams stand.
func (r *rig) wantStanding() {
	r.t.Helper()
	r.want("the subscriptions do not stand", patience, func(s *stream, node string) string {
		if !s.stands[node] {
			return "it does not"
		}
		return ""
	})
}

// recovery is how long it may take until all is well again. A gateway notices
// silence within a minute; and the more often it has lost its link, the longer
// it waits before it tries again.
const recovery = 2 * time.Minute

// wantFlow waits until all streams have got something that was published after
// now.
func (r *rig) wantFlow() {
	r.t.Helper()
	now := map[string]int{}
	for _, p := range r.publishers {
		now[p.node] = p.newest()
		if p.kind.repeats {
			now[p.node] = -1 // of which nobody can tell when it was published
		}
	}
	r.want("what is published now does not come", recovery, func(s *stream, node string) string {
		if s.steps[node] <= now[node] {
			return fmt.Sprintf("the newest is %d, op %d was the newest when the wait began", s.steps[node], now[node])
		}
		return ""
	})
}

// wantWork waits until each publisher has done n more ops.
func (r *rig) wantWork(n int) {
	r.t.Helper()
	goal := map[string]int{}
	for _, p := range r.publishers {
		goal[p.node] = p.newest() + n
	}
	if err := await(patience, func() string {
		for _, p := range r.publishers {
			if got := p.newest(); got < goal[p.node] {
				return fmt.Sprintf("%s is at op %d, want %d", p.node, got, goal[p.node])
			}
		}
		return ""
	}); err != nil {
		r.t.Fatalf("nothing is published: %v", err)
	}
}

// wantDurable publishes one more item, and waits until the server has written
// it, and with it all that was published before. The publishers must be paused.
func (r *rig) wantDurable() {
	r.t.Helper()
	plain := r.publishers[0]
	o, _ := plain.next(r.conns.get())
	if err := await(patience, func() string {
		if !r.server.Durable(o.mark) {
			return o.mark + " is not written"
		}
		return ""
	}); err != nil {
		r.t.Fatal(err)
	}
}

// opens returns how many responses each stream has had.
func (r *rig) opens() map[*stream]int {
	opens := map[*stream]int{}
	for _, s := range r.streams {
		s.mu.Lock()
		opens[s] = s.opens
		s.mu.Unlock()
	}
	return opens
}

// wantReopened waits until all streams have a new response.
func (r *rig) wantReopened(before map[*stream]int) {
	r.t.Helper()
	r.want("the streams do not end", patience, func(s *stream, _ string) string {
		if s.opens <= before[s] {
			return "it goes on"
		}
		return ""
	})
}

// wantEnd waits until all streams have got the last item of each node. What
// comes too late is lost, as the judge will say.
func (r *rig) wantEnd() {
	r.t.Helper()
	if err := await(patience, r.missing(func(s *stream, node string) string {
		if !s.ended[node] && !s.givenUp {
			return fmt.Sprintf("the newest is %d", s.steps[node])
		}
		return ""
	})); err != nil {
		r.t.Errorf("the last items have not come: %v", err)
	}
}

// want waits until f finds nothing missing in any stream, for any of its nodes,
// but not if a stream has given up. f is called with the mutex of the stream
// held.
func (r *rig) want(what string, patience time.Duration, f func(s *stream, node string) string) {
	r.t.Helper()
	givenUp := false
	missing := r.missing(f)
	err := await(patience, func() string {
		for _, s := range r.streams {
			givenUp = givenUp || s.hasGivenUp()
		}
		if givenUp {
			return ""
		}
		return missing()
	})
	if givenUp {
		err = errors.New("a stream has given up")
	}
	if err != nil {
		r.stop()
		r.report()
		r.t.Fatalf("%s: %v", what, err)
	}
}

// missing returns a function that tells what f finds missing.
func (r *rig) missing(f func(s *stream, node string) string) func() string {
	return func() string {
		var examples []string
		n := 0
		for _, s := range r.streams {
			s.mu.Lock()
			for _, node := range s.nodes {
				if what := f(s, node); what != "" {
					if n++; n <= 5 {
						examples = append(examples, fmt.Sprintf("stream %q, node %s: %s", s.name, node, what))
					}
				}
			}
			s.mu.Unlock()
		}
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%d in all, such as\n\t%s", n, strings.Join(examples, "\n\t"))
	}
}
