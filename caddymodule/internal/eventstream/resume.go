package eventstream

import (
	"net/url"
	"slices"
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
	start := Start{Entries: all[skip:], Next: Position(l.end()), Gap: gap}
	switch {
	case len(start.Entries) == 0:
		start.ID = l.idAt(l.end())
	case start.Entries[0].seq >= l.first:
		start.ID = l.idAt(start.Entries[0].seq)
	case skip > 0:
		start.ID = all[skip-1].id
	default:
		start.ID = joinID("", place{source: l.source, tag: l.tag}.encode())
	}
	return start
}

// Resume returns the start of a stream that comes back with a last event ID:
// one of this log, one of another log of the source, or no more than the ID of
// an item. If the place is not found, Gap is not empty, and Entries are the
// items that the source retains.
func (l *Log) Resume(lastEventID string) Start {
	places, ours := parseID(lastEventID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ours {
		return l.resumeAfterItem(lastEventID)
	}
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
	if p.tag == l.tag && p.seq <= l.end() {
		switch {
		case p.seq >= l.first:
			return l.startAt(p.seq)
		case p.seq >= l.items.lost:
			return l.startSince(p.seq)
		}
	}
	for i, m := range p.marks {
		if e := l.find(m.matches); e != nil {
			start := l.startAfter(e, p.marks)
			start.Behind = i > 0
			return start
		}
	}
	start := l.replay(-1, l.missed(p.marks))
	start.Behind = len(p.marks) > 0
	return start
}

// resumeAfterItem starts after the last version of an item. l.mu must be held.
func (l *Log) resumeAfterItem(id string) Start {
	e := l.items.byID[id]
	if unescaped, err := url.PathUnescape(id); e == nil && err == nil {
		e = l.items.byID[unescaped]
	}
	if e == nil {
		return l.replay(-1, UnknownID)
	}
	return l.startAfter(e, nil)
}

// startAt starts at an exact place. l.mu must be held.
func (l *Log) startAt(seq uint64) Start {
	return Start{ID: l.idAt(seq), Entries: slices.Clone(l.entries.all[seq-l.first:]), Next: Position(l.end()), Found: true}
}

// startSince starts at an exact place that the log does not have any more, with
// those items that came since and are still retained. l.mu must be held.
func (l *Log) startSince(seq uint64) Start {
	all := l.items.list()
	known := 0
	for known < len(all) && all[known].seq < seq {
		known++
	}
	start := l.replay(len(all)-known, "")
	start.Found = true
	return start
}

// startAfter starts after an entry, less the items that are known. Those of
// them that come after it do so only since the source has overwritten items in
// their old place. l.mu must be held.
func (l *Log) startAfter(e *Entry, known []mark) Start {
	var start Start
	if e.seq >= l.first {
		start = l.startAt(e.seq + 1)
	} else {
		start = l.startSince(e.seq + 1)
	}
	start.Entries = slices.DeleteFunc(start.Entries, func(e *Entry) bool {
		return e.published && e.item.Fetched && slices.ContainsFunc(known, e.matches)
	})
	return start
}

// find returns the newest item that ok accepts, be it retained by the source or
// only by the log, or nil. l.mu must be held.
func (l *Log) find(ok func(*Entry) bool) *Entry {
	for _, entries := range [][]*Entry{l.entries.all, l.items.order} {
		for _, e := range slices.Backward(entries) {
			if e.published && ok(e) {
				return e
			}
		}
	}
	return nil
}

// matches reports whether m is of the version that e published. Either may have
// come without its content.
func (m mark) matches(e *Entry) bool {
	bare := newMark(Item{ID: e.item.ID})
	return m == e.mark || m == bare || e.item.Fingerprint == 0 && m.sameItem(bare)
}

// matches is the same the other way around.
func (e *Entry) matches(m mark) bool { return m.matches(e) }

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
	return gapIf(fresh, max(0, len(marks)-kept), len(l.items.byID))
}

// gapIf says whether there may have been more, if of what was known nothing is
// as it was: fresh items are new, and gone ones are not there any more.
func gapIf(fresh, gone, all int) string {
	if fresh > 0 && (gone > 0 || all >= fewItems) {
		return Expired
	}
	return ""
}
