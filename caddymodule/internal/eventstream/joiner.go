package eventstream

import "cmp"

// maxChunk bounds a chunk of several events, in bytes, where nothing else is
// said.
const maxChunk = 64 << 10

// A Joiner joins the events that streams have to be sent. It keeps what it
// joined last for the next stream that is at the same place, so that many
// streams that are told one after the other share it. It belongs to one
// goroutine. The zero value is ready for use.
type Joiner struct {
	// Own makes all chunks valid only until the Joiner is used again: for who
	// copies them anyway.
	Own bool
	// Max bounds a chunk of several events, in bytes. Default: 64 KiB
	Max int

	entries []*Entry
	scratch []byte

	log      *Log // which was read last; nil if none was
	at, next Position
	chunk    Chunk
}

// Read returns the events after a place in the log, the place after them,
// whether there are more yet, and whether there never will be. It may leave
// the newest for the next time, if other streams at the same place have not had
// them either. The error is [ErrLagged] or nil.
func (j *Joiner) Read(l *Log, at Position) (chunk Chunk, next Position, more, over bool, err error) {
	if j.log == l && j.at == at {
		return j.chunk, j.next, l.hasAfter(j.next), false, nil
	}
	entries, next, more, over, err := j.Entries(l, at)
	if err != nil || len(entries) == 0 {
		return Chunk{}, at, false, over, err
	}
	chunk = j.join(entries)
	if !over {
		j.log, j.at, j.next, j.chunk = l, at, next, chunk
	}
	return chunk, next, more, over, nil
}

// Entries is Read for who joins the entries. They are valid until the Joiner is
// used again.
func (j *Joiner) Entries(l *Log, at Position) (entries []*Entry, next Position, more, over bool, err error) {
	j.entries, next, over, err = l.Read(j.entries[:0], at, cmp.Or(j.Max, maxChunk))
	return j.entries, next, err == nil && l.hasAfter(next), over, err
}

// join returns the entries as one chunk.
func (j *Joiner) join(entries []*Entry) Chunk {
	if len(entries) == 1 {
		return entries[0].chunk
	}
	var b []byte
	if j.Own {
		b = j.Scratch()
	} else {
		size := chunkHead + len(chunkTail)
		for _, e := range entries {
			size += e.size()
		}
		b = make([]byte, chunkHead, size)
	}
	for _, e := range entries {
		b = append(b, e.Body()...)
	}
	if j.Own {
		return j.Lend(b)
	}
	return newChunk(b)
}

// Scratch returns memory to append to what Lend makes a chunk of.
func (j *Joiner) Scratch() []byte {
	j.log = nil // its chunk may be there
	if cap(j.scratch) > 2*maxChunk {
		j.scratch = nil // there was something large once
	}
	return append(j.scratch[:0], make([]byte, chunkHead)...)
}

// Lend returns a chunk of what was appended to Scratch. It is valid until the
// Joiner is used again.
func (j *Joiner) Lend(b []byte) Chunk {
	j.scratch = b
	chunk := newChunk(b)
	chunk.lent = true
	return chunk
}

// Forget lets go of what was read last.
func (j *Joiner) Forget() {
	clear(j.entries[:cap(j.entries)])
	j.log, j.chunk = nil, Chunk{}
}
