package eventstream

// A list is entries in order, and how many bytes they have.
type list struct {
	all  []*Entry
	size int64
}

func (l *list) add(e *Entry) {
	l.all = append(l.all, e)
	l.size += int64(e.size())
}

// over reports whether the oldest has to go.
func (l *list) over(b Bounds) bool {
	return len(l.all) > 1 && (len(l.all) > b.Events || l.size > b.Bytes)
}

// drop removes the oldest and returns it.
func (l *list) drop() *Entry {
	e := l.all[0]
	l.all[0] = nil // the array outlives the slice
	l.all = l.all[1:]
	l.size -= int64(e.size())
	return e
}
