package eventstream

// An Item is one version of an item of the source.
type Item struct {
	ID          string
	Fingerprint uint64 // of its content; 0 if that is not known
}

// is reports whether two versions of an item are one, as far as is known.
func (i Item) is(other Item) bool {
	return i.Fingerprint == other.Fingerprint || i.Fingerprint == 0 || other.Fingerprint == 0
}

// items are those that the source retains, as far as is known, in the order of
// their publication. An overwritten item is the entry of its last version.
type items struct {
	order   []*Entry // the oldest first; with the ones that are gone
	byID    map[string]*Entry
	size    int64
	trimmed bool   // there were more than is retained here
	lost    uint64 // the place from which on nothing was evicted, and there was no purge
}

func (t *items) add(e *Entry) {
	t.order = append(t.order, e)
	t.byID[e.item.ID] = e
}

// has reports whether e is still retained.
func (t *items) has(e *Entry) bool { return t.byID[e.item.ID] == e }

// remove forgets an item, if there is one of that ID.
func (t *items) remove(id string) {
	e := t.byID[id]
	if e == nil {
		return
	}
	delete(t.byID, id)
	t.size -= int64(e.size())
	if len(t.order) > 2*len(t.byID)+16 {
		t.order = t.list()
	}
}

// evict forgets an item that made place for others.
func (t *items) evict(id string) {
	if e := t.byID[id]; e != nil {
		t.lost = max(t.lost, e.seq+1)
		t.remove(id)
	}
}

// clear forgets all items, for the event before the place.
func (t *items) clear(place uint64) {
	clear(t.byID)
	t.order, t.size, t.trimmed, t.lost = nil, 0, false, place
}

// list returns the entries of the items, the oldest first.
func (t *items) list() []*Entry {
	all := make([]*Entry, 0, len(t.byID))
	for _, e := range t.order {
		if t.has(e) {
			all = append(all, e)
		}
	}
	return all
}

// newest returns the marks of the newest items, the newest first, and the ID of
// that one.
func (t *items) newest() (marks []mark, last string) {
	for i := len(t.order) - 1; i >= 0 && len(marks) < maxMarks; i-- {
		if e := t.order[i]; t.has(e) {
			if len(marks) == 0 {
				last = e.item.ID
			}
			marks = append(marks, e.mark)
		}
	}
	return marks, last
}

// trim forgets the oldest items that are over the bounds.
func (t *items) trim(b Bounds) {
	for len(t.byID) > 1 && (len(t.byID) > b.Events || t.size > b.Bytes) {
		e := t.order[0]
		t.order[0] = nil
		t.order = t.order[1:]
		if t.has(e) {
			t.evict(e.item.ID)
			t.trimmed = true
		}
	}
}
