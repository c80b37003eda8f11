package eventstream

import (
	"fmt"
	"slices"
)

// A service is a node as a real server has it: it retains so many items, and
// orders them by their last publication, as Prosody, or by their first, as
// ejabberd.
type service struct {
	byCreation bool
	capacity   int
	comesAgain bool // items are published again as they are, or as they were before

	step      int    // how much has happened
	items     []Item // the oldest first
	published map[Item]*publication
	heard     []*follower
}

// A publication is what became of a version of an item.
type publication struct {
	step      int  // when it was published
	overwrote bool // another version
	again     bool // it was published more than once
	evicted   bool
}

// A change is an event as the service notifies it.
type change struct {
	kind string // "publish", "retract" or "purge"
	item Item
}

func (s *service) publish(item Item) {
	s.step++
	if p := s.published[item]; p != nil {
		p.step, p.again, p.evicted = s.step, true, false
	} else {
		s.published[item] = &publication{step: s.step}
	}
	i := slices.IndexFunc(s.items, func(other Item) bool { return other.ID == item.ID })
	switch {
	case i < 0:
		s.items = append(s.items, item)
	case s.byCreation:
		s.items[i] = item
	default:
		s.items = append(slices.Delete(s.items, i, i+1), item)
	}
	s.published[item].overwrote = i >= 0
	for len(s.items) > s.capacity {
		s.published[s.items[0]].evicted = true
		s.items = slices.Delete(s.items, 0, 1)
	}
	s.notify(change{"publish", item})
}

func (s *service) retract(i int) {
	s.step++
	item := s.items[i]
	s.items = slices.Delete(s.items, i, i+1)
	s.notify(change{"retract", item})
}

func (s *service) purge() {
	s.step++
	s.items = nil
	s.notify(change{kind: "purge"})
}

func (s *service) notify(c change) {
	for _, f := range s.heard {
		f.hear(c)
	}
}

// A follower is a log of the service, as caddymodule keeps one.
type follower struct {
	service *service
	log     *Log
	linked  bool
	filled  bool
	settled bool     // nothing was missed
	pending []change // wait until it is
}

func (f *follower) hear(c change) {
	switch {
	case !f.linked:
	case f.settled:
		f.log.apply(c)
	default:
		f.pending = append(f.pending, c)
	}
}

// lose loses the link.
func (f *follower) lose() { f.linked, f.settled, f.pending = false, false, nil }

// settle brings the log to what the service retains, of which no more is asked
// for than the log retains.
func (f *follower) settle() {
	items := slices.Clone(f.service.items)
	items = items[max(0, len(items)-f.log.bounds.Events):]
	complete := len(items) < f.log.bounds.Events
	touched, purged := map[string]bool{}, false
	for _, c := range f.pending {
		touched[c.item.ID] = true
		purged = purged || c.kind == "purge"
	}
	switch {
	case purged: // all that is there came after it
	case f.filled:
		reconcile(f.log, items, complete, f.settled, touched)
	default:
		f.log.Compare(items, complete, false, nil)
		for _, item := range items {
			if !touched[item.ID] {
				f.log.fetched(item)
			}
		}
	}
	for _, c := range f.pending {
		if c.kind != "publish" || !f.log.Has(c.item) {
			f.log.apply(c)
		}
	}
	f.filled, f.settled, f.pending = true, true, nil
}

// reconcile does what Compare says, as caddymodule does.
func reconcile(l *Log, items []Item, complete, heard bool, touched map[string]bool) {
	d := l.Compare(items, complete, heard, touched)
	if d.Gap != "" {
		l.Append(Event{Name: "gap", Data: d.Gap})
	}
	if d.Purged {
		l.apply(change{kind: "purge"})
	}
	for _, id := range d.Retracted {
		l.apply(change{"retract", Item{ID: id}})
	}
	for _, i := range d.New {
		l.fetched(items[i])
	}
}

func (l *Log) apply(c change) {
	switch c.kind {
	case "publish":
		l.Publish(c.item, Event{Data: fmt.Sprint(c.item.ID, " ", c.item.Fingerprint)})
	case "retract":
		l.Retract(c.item.ID, Event{Name: "retract", Data: c.item.ID})
	case "purge":
		l.Purge(Event{Name: "purge"})
	}
}

// fetched is the data of items that were not heard as events.
const fetched = "fetched"

func (l *Log) fetched(item Item) {
	l.Publish(item, Event{Data: fetched})
}
