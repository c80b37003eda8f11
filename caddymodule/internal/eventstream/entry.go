package eventstream

import "bytes"

// A Frame is one event as it is written to a stream. Nobody writes to it.
type Frame []byte

// An Entry is one event of a log. It does not change.
type Entry struct {
	frame Frame
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
	e.frame = ev.Append(make([]byte, 0, len(ev.Name)+len(ev.Data)+len(ev.ID)+64))
}

// Frame returns the event as it is written to a stream.
func (e *Entry) Frame() Frame { return e.frame }

// Name returns the name of the event, which is empty for an item.
func (e *Entry) Name() string { return e.name }

// data returns the lines of the event's data, each with its end.
func (e *Entry) data() []byte {
	return e.frame[bytes.Index(e.frame, []byte("\ndata: "))+1 : len(e.frame)-1]
}
