package eventstream

import (
	"slices"
	"strconv"
)

// A Chunk is what is written to a stream at a time: whole lines, and the frame
// around them that HTTP/1.1 puts around a part of a body whose length is not
// known before (RFC 9112 §7.1). Nobody may write to it. The zero Chunk is empty.
type Chunk struct {
	framed []byte
	start  int // of the body
	lent   bool
}

// LastChunk is what comes after all other chunks of a body.
var LastChunk = Chunk{framed: []byte("0\r\n\r\n")}

const (
	// chunkHead is how much room the head of a chunk needs at most.
	chunkHead = 8 + len("\r\n")
	chunkTail = "\r\n"
)

// NewChunk returns a chunk of parts.
func NewChunk(parts ...[]byte) Chunk {
	return newChunk(append(make([]byte, chunkHead), slices.Concat(parts...)...))
}

// newChunk returns a chunk in b, whose first chunkHead bytes are free.
func newChunk(b []byte) Chunk {
	size := len(b) - chunkHead
	if size == 0 {
		return Chunk{} // it would be the last one
	}
	var head [chunkHead]byte
	h := append(strconv.AppendInt(head[:0], int64(size), 16), "\r\n"...)
	copy(b[chunkHead-len(h):], h)
	return Chunk{framed: append(b, chunkTail...)[chunkHead-len(h):], start: len(h)}
}

// IsEmpty reports whether there is nothing in it.
func (c Chunk) IsEmpty() bool { return len(c.framed) == 0 }

// Body returns what the chunk is around.
func (c Chunk) Body() []byte {
	if c.IsEmpty() {
		return nil
	}
	end := len(c.framed) - len(chunkTail)
	return c.framed[c.start:end:end]
}

// Framed returns the chunk.
func (c Chunk) Framed() []byte { return c.framed }

// Rest returns the chunk from the n-th byte on, to be kept: as long as the chunk
// is shared with other streams, so is the rest.
func (c Chunk) Rest(n int) []byte {
	if c.lent {
		return slices.Clone(c.framed[n:])
	}
	return c.framed[n:]
}
