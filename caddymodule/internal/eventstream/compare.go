package eventstream

import "slices"

// A Difference is what happened to a source while its events were not heard.
type Difference struct {
	Gap       string   // why there may have been more than that; "" if there was not
	Purged    bool     // all items are gone
	Retracted []string // the IDs of items that are gone, the oldest first
	New       []int    // which of the items were published, in their order
}

// Compare returns how the source differs from the log, given the items that it
// retains, in its order, and whether those are all. If the log has heard all
// events, items that are gone are so since the source retains no more than it
// does; from then on the log knows how many those are. Nothing is said of items
// whose IDs are in touched, since the log has heard of them meanwhile, or is
// about to: true stands for those that were retracted.
func (l *Log) Compare(items []Item, complete, heard bool, touched map[string]bool) Difference {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := comparison{log: l, items: items, touched: touched, there: make(map[string]bool, len(items))}
	c.look()
	if !heard {
		c.lookAtTouched()
	}
	known := l.items.list()
	gone := c.gone(known)
	if len(items) == 0 && len(gone) > 1 {
		return Difference{Gap: Purged, Purged: true}
	}
	if !complete {
		l.items.trimmed = true // there are older ones
	}
	d := Difference{New: c.changed}
	if !c.anchored {
		d.Gap = l.gapIf(c.fresh, len(gone), len(items))
	}
	if heard && complete && c.fresh == 0 && madePlace(gone) {
		l.capacity = len(items)
	}
	for _, g := range gone {
		evicted := d.Gap != "" || !complete || g.newer+c.fresh >= max(len(items), l.leastCapacity())
		if evicted && !g.between {
			l.items.evict(g.id)
		} else {
			d.Retracted = append(d.Retracted, g.id)
		}
	}
	return d
}

// leastCapacity returns how many items the source retains at least, or is taken
// to. l.mu must be held.
func (l *Log) leastCapacity() int {
	if l.capacity > 0 {
		return l.capacity
	}
	return fewItems
}

// A comparison is one call of Compare.
type comparison struct {
	log     *Log
	items   []Item
	touched map[string]bool

	there   map[string]bool // the IDs of items
	changed []int           // which of items are new, or another version
	fresh   int             // how many have an ID that was not there

	// anchored means that one is as it was, and where it was, so that nothing
	// after it is missing.
	anchored bool
}

// look sets the fields from what is there. Items that come before all that are
// known may be older than what the log remembers.
func (c *comparison) look() {
	known := &c.log.items
	for i, item := range c.items {
		c.there[item.ID] = true
		e := known.byID[item.ID]
		if e != nil && e.item.is(item) {
			if !c.anchored && known.trimmed {
				c.changed = slices.DeleteFunc(c.changed, func(i int) bool { return known.byID[c.items[i].ID] == nil })
				c.fresh = 0
			}
			c.anchored = c.anchored || c.fresh == 0
			continue
		}
		if _, ok := c.touched[item.ID]; ok {
			continue
		}
		c.changed = append(c.changed, i)
		if e == nil {
			c.fresh++
		}
	}
}

// madePlace reports whether items are gone, and all of them from the old end.
func madePlace(gone []goneItem) bool {
	return len(gone) > 0 && !slices.ContainsFunc(gone, func(g goneItem) bool { return g.between })
}

// lookAtTouched sets the fields from what was heard since the link is back. An
// unknown item is new, wherever it is now. A known one that is retracted only
// now was there all the time.
func (c *comparison) lookAtTouched() {
	for id, retracted := range c.touched {
		known := c.log.items.byID[id] != nil
		if !known {
			c.fresh++
		}
		c.anchored = c.anchored || known && retracted
	}
}

// A goneItem is one that is not there any more.
type goneItem struct {
	id      string
	newer   int  // how many known items were published after it
	between bool // one from before it is there, so it cannot have made place
}

// gone returns which of the known items are not there.
func (c *comparison) gone(known []*Entry) (gone []goneItem) {
	between := false
	for i, e := range known {
		if _, touched := c.touched[e.item.ID]; !touched && !c.there[e.item.ID] {
			gone = append(gone, goneItem{e.item.ID, len(known) - 1 - i, between})
		}
		between = between || c.there[e.item.ID]
	}
	return gone
}
