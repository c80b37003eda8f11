package eventstream

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrLagged means that the log no longer has the event that a stream wants
// next.
var ErrLagged = errors.New("the stream fell behind what the log retains")

// Bounds are how much a log retains: of the newest events, and of the items
// that the source retains. The newest event is always retained.
type Bounds struct {
	Events int
	Bytes  int64 // of the events as they are written
}

// A Log is the retained events of one source, in order, and the items that the
// source retains. Its methods may be called from any goroutine, and none waits
// for anybody.
type Log struct {
	source string        // stands for the source in IDs
	tag    string        // tells this log's IDs from those of others
	grown  func()        // tells that there is more to read
	length atomic.Uint64 // how many events there were

	mu       sync.Mutex // guards the following fields
	bounds   Bounds
	entries  list
	items    items
	first    uint64 // the sequence number of the first entry
	base     string // the ID of the place before it
	capacity int    // how many items the source retains; 0 if that is not known
	closed   bool
}

// A Position is a place in a log, between two events.
type Position uint64

// NewLog returns an empty log. IDs of it mean something to all logs, in whatever
// process, with the same source. It calls grown whenever an event was appended,
// and when it is closed: from within the method that does so, so grown must not
// wait nor call the log.
func NewLog(source string, bounds Bounds, grown func()) *Log {
	l := &Log{source: sourceHash(source), tag: rand.Text()[:tagLength], bounds: bounds, grown: grown}
	l.items.byID = make(map[string]*Entry)
	l.base = l.id(0)
	return l
}

// SetBounds changes the bounds.
func (l *Log) SetBounds(b Bounds) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bounds = b
	l.trim()
}

// Append appends an event that changes no item. Its ID is set by the log, here
// and in the methods that follow; all do nothing on a closed log.
func (l *Log) Append(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(ev, nil, nil)
}

// Publish appends the event that an item was published.
func (l *Log) Publish(item Item, ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(ev, &item, func() { l.items.remove(item.ID) })
}

// Retract appends the event that the item is gone.
func (l *Log) Retract(itemID string, ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(ev, nil, func() { l.items.remove(itemID) })
}

// Purge appends the event that all items are gone.
func (l *Log) Purge(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(ev, nil, func() { l.items.clear(l.end() + 1) })
}

// Miss appends the event that others were missed, nobody knows which. Whoever
// comes from a place before it has missed them, too.
func (l *Log) Miss(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.items.clear(l.end())
	}
	l.append(ev, nil, nil)
}

// Has reports whether the source retains this version of the item, as far as
// the log knows.
func (l *Log) Has(item Item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.items.byID[item.ID]
	return e != nil && e.item.is(item)
}

// append appends an event, the item that was published by it, and what else it
// does to the items, if these are not nil. The items are changed first: the
// event's ID names the state that comes with it. l.mu must be held.
func (l *Log) append(ev Event, published *Item, change func()) {
	if l.closed {
		return
	}
	e := &Entry{seq: l.end(), changed: change != nil}
	if change != nil {
		change()
	}
	if published != nil {
		e.item, e.mark, e.published = *published, newMark(*published), true
		e.bare = newMark(Item{ID: published.ID})
		l.items.add(e)
	}
	ev.ID = l.id(e.seq + 1)
	e.encode(ev)
	if published != nil {
		l.items.size += int64(e.size())
	}
	l.entries.add(e)
	l.trim()
	l.length.Store(l.end())
	l.grown()
}

// trim forgets what is over the bounds. l.mu must be held.
func (l *Log) trim() {
	for l.entries.over(l.bounds) {
		l.base = l.entries.drop().id
		l.first++
	}
	l.items.trim(l.bounds)
}

// end returns the sequence number of the next entry. l.mu must be held.
func (l *Log) end() uint64 { return l.first + uint64(len(l.entries.all)) }

// id returns the ID of the place seq, whose state is that of now. l.mu must be
// held.
func (l *Log) id(seq uint64) string {
	marks, last := l.items.newest()
	return joinID(last, place{source: l.source, marks: marks, tag: l.tag, seq: seq}.encode())
}

// Close ends the log: streams that have read all of it have reached their end.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.grown()
	}
}

// ID returns the last event ID of a place, or that of the oldest place there is
// if it is older.
func (l *Log) ID(at Position) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idAt(uint64(at))
}

// idAt does the work of ID. l.mu must be held.
func (l *Log) idAt(seq uint64) string {
	seq = min(seq, l.end())
	if seq <= l.first {
		return l.base
	}
	return l.entries.all[seq-l.first-1].id
}

// Tag returns what tells the IDs of this log from those of others.
func (l *Log) Tag() string { return l.tag }

// Read appends to dst the events after a place, up to max bytes of them but one
// at least, and returns it with the place after them. It reports whether there
// never will be more. The error is [ErrLagged] or nil.
func (l *Log) Read(dst []*Entry, at Position, max int) (entries []*Entry, next Position, over bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uint64(at) < l.first {
		return dst, at, false, ErrLagged
	}
	next = at
	for _, e := range l.entries.all[uint64(at)-l.first:] {
		if max -= e.size(); max < 0 && next > at {
			break
		}
		dst = append(dst, e)
		next++
	}
	return dst, next, l.closed && uint64(next) == l.end(), nil
}

// hasAfter reports whether there is an event after the place.
func (l *Log) hasAfter(at Position) bool { return uint64(at) < l.length.Load() }
