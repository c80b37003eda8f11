package eventstream

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
)

// Bounds of what a log retains.
const (
	maxEvents = 1024
	maxBytes  = 8 << 20
)

// ErrLagged means that the log no longer has the event that a stream wants
// next.
var ErrLagged = errors.New("the stream fell behind what the log retains")

// A Log is the retained events of one source, in order. Its methods may be
// called from any goroutine, and none waits for anybody.
type Log struct {
	tag string // tells this log's IDs from all others

	mu     sync.Mutex // guards the following fields
	frames []Frame
	first  uint64 // the sequence number of frames[0]
	size   int    // the bytes of all frames
	item   string // the last item that was published
	closed bool
	grown  chan struct{} // closed when a frame is appended, or the log is closed
}

// A Frame is one event as it is written to a stream. Nobody writes to it.
type Frame []byte

// A Position is a place in a log, between two events.
type Position uint64

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{tag: rand.Text()[:10], grown: make(chan struct{})}
}

// Append appends an event. If item is not empty, it is the last item from then
// on, and the event's ID starts with it. It does nothing on a closed log.
func (l *Log) Append(name, item, data string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if item != "" {
		l.item = item
	}
	next := l.first + uint64(len(l.frames)) + 1
	event := Event{Name: name, ID: id(l.item, l.tag, next), Data: data}
	frame := Frame(event.Append(make([]byte, 0, len(event.Data)+len(event.ID)+64)))
	l.frames = append(l.frames, frame)
	l.size += len(frame)
	l.trim()
	close(l.grown)
	l.grown = make(chan struct{})
}

// trim forgets the oldest events that are over the bounds, but never the
// newest event. l.mu must be held.
func (l *Log) trim() {
	for len(l.frames) > maxEvents || l.size > maxBytes && len(l.frames) > 1 {
		l.size -= len(l.frames[0])
		l.frames[0] = nil // the array outlives the slice
		l.frames = l.frames[1:]
		l.first++
	}
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

// End returns the place after the newest event.
func (l *Log) End() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position(l.first + uint64(len(l.frames)))
}

// ID returns the last event ID of a place, which names the last item there if
// the place is the end.
func (l *Log) ID(at Position) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	item := ""
	if uint64(at) == l.first+uint64(len(l.frames)) {
		item = l.item
	}
	return id(item, l.tag, uint64(at))
}

// Find returns the place that a last event ID names. It reports false if the
// ID is not of this log, or of what the log no longer has.
func (l *Log) Find(lastEventID string) (Position, bool) {
	tag, seq, ok := parseID(lastEventID)
	if !ok || tag != l.tag {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position(seq), seq >= l.first && seq <= l.first+uint64(len(l.frames))
}

// Read returns the events after a place, the place after them, and a channel
// that is closed when there are more. The channel is nil if there never will
// be more. The error is [ErrLagged] or nil.
func (l *Log) Read(at Position) (frames []Frame, next Position, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uint64(at) < l.first {
		return nil, at, nil, ErrLagged
	}
	frames = slices.Clone(l.frames[uint64(at)-l.first:]) // trim writes to the array
	if l.closed {
		return frames, at + Position(len(frames)), nil, nil
	}
	return frames, at + Position(len(frames)), l.grown, nil
}
