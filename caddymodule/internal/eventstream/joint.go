package eventstream

import "bytes"

// A Joint writes the events of several logs as one stream, whose IDs have the
// place in each. It belongs to the stream.
type Joint struct {
	places []string // in the logs, as they are in IDs
}

// NewJoint returns a Joint of streams that start with the IDs, one of each log.
func NewJoint(ids ...string) *Joint {
	j := &Joint{places: make([]string, len(ids))}
	for i, id := range ids {
		j.move(i, id)
	}
	return j
}

// move notes that the stream is, in the log i, at the place of an ID. It returns
// the ID's item.
func (j *Joint) move(i int, id string) (item string) {
	item, j.places[i] = cutID(id)
	return item
}

// AppendEntry appends an entry of the log i, with its data between before and
// after, which must be one line each.
func (j *Joint) AppendEntry(dst []byte, i int, e *Entry, before, after string) []byte {
	item := j.move(i, e.id)
	if e.name != "" {
		dst = append(append(append(dst, "event: "...), e.name...), '\n')
	}
	dst = append(j.appendID(append(dst, "id: "...), item), '\n')
	lines := e.data()
	first := len("data: ")
	dst = append(append(dst, lines[:first]...), before...)
	dst = append(dst, bytes.TrimSuffix(lines[first:], []byte("\n"))...)
	return append(append(dst, after...), "\n\n"...)
}

// ID returns the ID of where the stream is, whose item is that of an ID of one
// log.
func (j *Joint) ID(id string) string {
	item, _ := cutID(id)
	return string(j.appendID(nil, item))
}

// appendID appends an ID. The item is as it is in IDs.
func (j *Joint) appendID(dst []byte, item string) []byte {
	dst = append(dst, item...)
	for _, p := range j.places {
		dst = append(append(dst, separator...), p...)
	}
	return dst
}
