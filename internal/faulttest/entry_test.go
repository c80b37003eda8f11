package faulttest

// A what is what a stream got of a node, or what happened to it.
type what int

const (
	item what = iota
	retract
	purge
	gap
	// left is when something began to keep the stream from following: the
	// gateway lost its session, or the stream left for another gateway.
	left
	// back is when that had ended, as far as one can tell from outside.
	back
	// odd is whatever should not have come.
	odd
)

// An entry is a line of the record that a stream keeps of a node.
type entry struct {
	what
	id, mark string // of an item; of a retract the id
	reason   string // of a gap, or what is odd
	stamp    int    // ops that had been sent by then
	cross    bool   // of left: what follows comes from another process
}
