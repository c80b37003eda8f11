package faulttest

import (
	"slices"
	"sync"
)

// A kind is what matters about a node to who judges what streams got of it.
type kind struct {
	keeps      int  // the items that the service retains
	mute       bool // the service does not say that it retains nothing: it looks as if purged
	repeats    bool // one item is published over and over, with one payload
	overwrites bool // a few items are published over and over, with new payloads
	inPlace    bool // an overwritten item keeps its old place, as in ejabberd
}

// An outcome is what became of an op.
type outcome int

const (
	unsure  outcome = iota // it was not answered: it may have happened
	done                   // it was acknowledged
	refused                // it did not happen
)

// An op is something that was done to a node: an item was published, or
// retracted.
type op struct {
	retract bool
	id      string // of the item
	mark    string // in its payload; only of kinds that repeat is it not unique
	outcome outcome
}

// A history is what was done to a node, in order: nothing is begun before the
// op before has ended.
type history struct {
	node string
	kind kind

	mu  sync.Mutex // guards the following field
	ops []op
}

// begin appends an op that is about to be sent.
func (h *history) begin(o op) (index int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
	return len(h.ops) - 1
}

// end tells what became of an op.
func (h *history) end(index int, o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[index].outcome = o
}

// sent returns how many ops were begun.
func (h *history) sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// all returns the ops.
func (h *history) all() []op {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ops)
}
