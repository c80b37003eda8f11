package eventstream

import "bytes"

// An Entry is one event of a log. It does not change.
type Entry struct {
	chunk Chunk
	name  string // of the event
	id    string // names the state after the event
	seq   uint64 // how many events came before

	changed   bool // the items of the source changed
	published bool // an item was, which is:
	item      Item
	mark      mark
	bare      mark // the same without its content
}

// encode sets how the event is written.
func (e *Entry) encode(ev Event) {
	e.name, e.id = ev.Name, ev.ID
	b := make([]byte, chunkHead, chunkHead+len(ev.Name)+len(ev.Data)+len(ev.ID)+64)
	e.chunk = newChunk(ev.Append(b))
}

// Body returns the event as it is written to a stream. Nobody may write to it.
func (e *Entry) Body() []byte { return e.chunk.Body() }

// size is how many bytes the event has.
func (e *Entry) size() int { return len(e.chunk.Body()) }

// Name returns the name of the event, which is empty for an item.
func (e *Entry) Name() string { return e.name }

// data returns the lines of the event's data, each with its end.
func (e *Entry) data() []byte {
	body := e.Body()
	return body[bytes.Index(body, []byte("\ndata: "))+1 : len(body)-1]
}
