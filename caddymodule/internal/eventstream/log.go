package eventstream

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
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
	source string // stands for the source in IDs
	tag    string // tells this log's IDs from those of others

	mu       sync.Mutex // guards the following fields
	bounds   Bounds
	entries  list
	items    items
	first    uint64 // the sequence number of the first entry
	base     string // the ID of the place before it
	capacity int    // how many items the source retains; 0 if that is not known
	closed   bool
	grown    chan struct{} // closed when an entry is appended, or the log is closed
}

// A Position is a place in a log, between two events.
type Position uint64

// NewLog returns an empty log. IDs of it mean something to all logs, in whatever
// process, with the same source.
func NewLog(source string, bounds Bounds) *Log {
	l := &Log{source: sourceHash(source), tag: rand.Text()[:tagLength], bounds: bounds, grown: make(chan struct{})}
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
		l.items.size += int64(len(e.frame))
	}
	l.entries.add(e)
	l.trim()
	close(l.grown)
	l.grown = make(chan struct{})
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
		close(l.grown)
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

// Read returns the events after a place, the place after them, and a channel
// that is closed when there are more. The channel is nil if there never will
// be more. The error is [ErrLagged] or nil.
func (l *Log) Read(at Position) (entries []*Entry, next Position, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uint64(at) < l.first {
		return nil, at, nil, ErrLagged
	}
	entries = slices.Clone(l.entries.all[uint64(at)-l.first:])
	next = Position(l.end())
	if l.closed {
		return entries, next, nil, nil
	}
	return entries, next, l.grown, nil
}
