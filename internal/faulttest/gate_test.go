package faulttest

import (
	"slices"
	"sync"
)

// A gate lets so many scenarios run at a time, those with the least turn first:
// what takes long should not begin last.
type gate struct {
	mu      sync.Mutex // guards the following fields
	changed *sync.Cond
	free    int   // how many more may run
	coming  int   // tests whose scenarios are not yet all waiting
	waiting []int // the turns of the scenarios
}

func newGate(free int) *gate {
	g := &gate{free: free}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// update changes the gate.
func (g *gate) update(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	g.changed.Broadcast()
}

// expect announces a test, and arrived that its scenarios have queued.
func (g *gate) expect()  { g.update(func() { g.coming++ }) }
func (g *gate) arrived() { g.update(func() { g.coming-- }) }

// queue announces a scenario.
func (g *gate) queue(turn int) { g.update(func() { g.waiting = append(g.waiting, turn) }) }

// enter waits for the turn of a scenario that has queued.
func (g *gate) enter(turn int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.coming > 0 || g.free == 0 || slices.Min(g.waiting) < turn {
		g.changed.Wait()
	}
	i := slices.Index(g.waiting, turn)
	g.waiting = slices.Delete(g.waiting, i, i+1)
	g.free--
}

// leave ends a scenario.
func (g *gate) leave() { g.update(func() { g.free++ }) }
