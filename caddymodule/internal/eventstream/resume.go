package eventstream

import (
	"net/url"
	"slices"
	"strings"
)

// Why it cannot be known what a stream has missed.
const (
	// Expired: more was published than the source retains.
	Expired = "expired"
	// Purged: nothing that there was is there any more.
	Purged = "purged"
	// UnknownID: the ID that the stream came with means nothing.
	UnknownID = "unknown-id"
)

// fewItems is how many items every source is taken to retain if it is not known
// better: Prosody's default.
const fewItems = 20

// A Start is where a stream begins in a log.
type Start struct {
	ID      string   // of the place: who has it and nothing else gets all of Entries
	Entries []*Entry // to begin with
	Next    Position // where to read on
	Gap     string   // why something may be missing before Entries; "" if nothing is
	Found   bool     // the place that was asked for was found
	Tag     string   // of the log that the place was of; "" if that is not known

	// Behind means that the place is of another log, whose newest item is not
	// known here. It may yet come.
	Behind bool
}

// Replay returns the start of a stream that is shown the newest n of the items
// that the source retains, or all if n is negative.
func (l *Log) Replay(n int) Start {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replay(n, "")
}

// replay does the work of Replay. l.mu must be held.
func (l *Log) replay(n int, gap string) Start {
	all := l.items.list()
	skip := 0
	if n >= 0 {
		skip = max(0, len(all)-n)
	}
	return Start{ID: l.idBefore(all, skip), Entries: all[skip:], Next: Position(l.end()), Gap: gap}
}

// idBefore returns the ID of a place from which all items from the i-th on come.
// l.mu must be held.
func (l *Log) idBefore(all []*Entry, i int) string {
	switch {
	case i == len(all):
		return l.idAt(l.end())
	case i == 0:
		// Who has none of them is in no state that there was.
		return joinID("", place{source: l.source, tag: l.tag, seq: all[i].seq}.encode())
	case all[i].seq >= l.first:
		return l.idAt(all[i].seq)
	}
	return all[i-1].id
}

// Resume returns the start of a stream that comes back with a last event ID:
// one of this log, one of another log of the source, or no more than the ID of
// an item. If the place is not found, Gap is not empty, and Entries are the
// items that the source retains.
func (l *Log) Resume(lastEventID string) Start {
	places, ours := parseID(lastEventID)
	if !ours {
		return l.resumeAfterItem(lastEventID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(places, func(p place) bool { return p.source == l.source })
	if i < 0 {
		return l.replay(-1, UnknownID)
	}
	start := l.resumeAt(places[i])
	start.Tag = places[i].tag
	return start
}

// resumeAt starts at a place. l.mu must be held.
func (l *Log) resumeAt(p place) Start {
	if p.tag == l.tag {
		return l.resumeHere(p)
	}
	if e := l.findState(p); e != nil {
		return l.startFrom(e.seq + 1)
	}
	return l.startAmong(p)
}

// resumeHere starts at a place of this log. l.mu must be held.
func (l *Log) resumeHere(p place) Start {
	switch {
	case p.seq > l.end():
		return l.replay(-1, UnknownID) // nobody was told so
	case p.seq < l.first && len(p.marks) > 0 && len(l.items.byID) == 0:
		return l.replay(-1, Purged)
	}
	return l.startFrom(p.seq)
}

// resumeAfterItem starts after the last version of the item of an ID, which may
// be percent-encoded.
func (l *Log) resumeAfterItem(id string) Start {
	unescaped := id
	if len(id) <= maxID {
		if text, err := url.PathUnescape(id); err == nil {
			unescaped = text
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.items.byID[id]
	if e == nil {
		e = l.items.byID[unescaped]
	}
	if e == nil {
		return l.replay(-1, UnknownID)
	}
	return l.startFrom(e.seq + 1)
}

// startFrom starts at an exact place. If the log does not have its events any
// more, it starts with those items that came since and are still retained. l.mu
// must be held.
func (l *Log) startFrom(seq uint64) Start {
	start := Start{Next: Position(l.end()), Found: true}
	if seq >= l.first {
		start.ID, start.Entries = l.idAt(seq), slices.Clone(l.entries.all[seq-l.first:])
		return start
	}
	all := l.items.list()
	known := 0
	for known < len(all) && all[known].seq < seq {
		known++
	}
	start.ID, start.Entries = l.idBefore(all, known), all[known:]
	if seq < l.items.lost {
		start.Found, start.Gap = false, Expired
	}
	return start
}

// findState returns the newest event of an item after which the newest items were
// those of the place, or nil. Others, such as a gap, may be news to the client.
// l.mu must be held.
func (l *Log) findState(p place) *Entry {
	state := p.state() + "."
	for _, e := range slices.Backward(l.entries.all) {
		if _, places := cutID(e.id); e.changed && strings.HasPrefix(places, state) {
			return e
		}
	}
	return nil
}

// startAmong starts among the items that the source retains, with those that are
// news to who knows the marks. These are of all the newest items that there were,
// so what comes after any of them and is none of them is news; and so are other
// versions of them, wherever they are. (Where the source has overwritten items
// in their old place, what comes after may be old. Nobody can tell.) l.mu must
// be held.
func (l *Log) startAmong(p place) Start {
	all := l.items.list()
	known := func(e *Entry) bool { return slices.ContainsFunc(p.marks, e.matches) }
	oldest := slices.IndexFunc(all, known)
	if oldest < 0 {
		start := l.replay(-1, l.missed(p.marks))
		start.Behind = len(p.marks) > 0
		return start
	}
	if len(p.marks) < maxMarks {
		oldest = -1 // there were no others
	}
	start := Start{ID: joinID("", p.encode()), Next: Position(l.end()), Found: true}
	start.Behind = !slices.ContainsFunc(all, func(e *Entry) bool { return e.matches(p.marks[0]) })
	for i, e := range all {
		if !known(e) && (i > oldest || slices.ContainsFunc(p.marks, e.mark.sameItem)) {
			start.Entries = append(start.Entries, e)
		}
	}
	if len(start.Entries) == 0 {
		start.ID = l.idAt(l.end())
	}
	return start
}

// matches reports whether m is of the version that e published. Either may have
// come without its content.
func (e *Entry) matches(m mark) bool {
	return m == e.mark || m == e.bare || e.item.Fingerprint == 0 && m.sameItem(e.bare)
}

// missed returns what there is to say to who knew the items of the marks, of
// which none is as it was: that all of it is gone, that others may have come
// and gone, or nothing, if it looks as if items were overwritten. l.mu must be
// held.
func (l *Log) missed(marks []mark) string {
	if len(l.items.byID) == 0 && len(marks) > 0 {
		return Purged
	}
	kept, fresh := 0, 0
	for _, e := range l.items.byID {
		if slices.ContainsFunc(marks, e.mark.sameItem) {
			kept++
		} else {
			fresh++
		}
	}
	return l.gapIf(fresh, max(0, len(marks)-kept), len(l.items.byID))
}

// gapIf says whether there may have been more, if of what was known nothing is
// as it was: fresh items are new, and gone ones are not there any more. l.mu
// must be held.
func (l *Log) gapIf(fresh, gone, all int) string {
	full := all >= fewItems || l.capacity > 0 && all >= l.capacity
	if fresh > 0 && (gone > 0 || full) {
		return Expired
	}
	return ""
}
