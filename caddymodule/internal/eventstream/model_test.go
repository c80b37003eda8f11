package eventstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A client is the page of a stream: it knows the items it got and its last event
// ID.
type client struct {
	t       *testing.T
	name    string
	r       *rand.Rand
	service *service

	id      string // the last event ID
	last    *follower
	at      *follower // what it is connected to; nil if it is not
	pos     Position
	crossed bool // it came back to another log than the one it left
	moved   bool // with the stream that it has now
	gap     int  // the step of the newest gap
	newest  int  // the step of the newest item
	got     map[Item]bool
	known   map[Item]bool     // it was got, and cannot come again
	latest  map[string]uint64 // the fingerprint of what came last of each item
	history []string
}

func (c *client) note(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf("%d: ", c.service.step)+fmt.Sprintf(format, args...))
}

func (c *client) errorf(format string, args ...any) {
	c.t.Helper()
	history := c.history[max(0, len(c.history)-40):]
	c.t.Errorf("%s: %s\n%q", c.name, fmt.Sprintf(format, args...), history)
}

// connect begins a stream, which may break off at once.
func (c *client) connect(f *follower, breaks bool) {
	if c.service.comesAgain && c.crossed && f != c.last {
		// The IDs of what it got of the last log may name versions of other
		// items that it has not got, and that may come again.
		c.id, c.last, c.crossed = "", nil, false
	}
	start := f.log.Replay(-1)
	if c.id != "" {
		start = f.log.Resume(c.id)
	}
	c.note("to %s: gap %q found %v", f.log.tag, start.Gap, start.Found)
	if start.Tag == f.log.Tag() && start.Gap != "" && f.log.bounds == wide && start.Gap != Purged {
		c.errorf("there is the gap %q in the log that its ID is of, want none", start.Gap)
	}
	c.moved = start.Tag != "" && start.Tag != f.log.Tag()
	c.crossed = c.crossed || c.moved
	if start.Gap != "" {
		c.gap = c.service.step
	}
	if !start.Found {
		clear(c.known) // it may all come again
		c.newest = 0
	}
	c.at, c.last, c.pos, c.id = f, f, start.Next, start.ID
	c.take(start.Entries, breaks)
}

// read reads what came, as far as the stream does not break off.
func (c *client) read(breaks bool) {
	entries, next, _, err := c.at.log.Read(nil, c.pos, 1<<30)
	if err != nil {
		c.at = nil
		return
	}
	c.pos = next
	c.take(entries, breaks)
}

func (c *client) take(entries []*Entry, breaks bool) {
	if breaks {
		n := c.r.IntN(len(entries) + 1)
		inOrder := !c.service.byCreation || !slices.ContainsFunc(entries, func(e *Entry) bool { return strings.Contains(string(e.Body()), fetched) })
		if !inOrder || c.service.comesAgain {
			n = 0 // who has only some of these is not in any state that another log knows
		}
		entries, c.at = entries[:n], nil
	}
	for _, e := range entries {
		c.id = e.id
		c.note("%s%s%s", e.name, e.item.ID, fmt.Sprint(e.item.Fingerprint))
		switch {
		case e.name == "gap":
			c.gap = c.service.step
		case e.published:
			c.takeItem(Item{ID: e.item.ID, Fingerprint: e.item.Fingerprint})
		}
	}
}

func (c *client) takeItem(item Item) {
	p := c.service.published[item]
	inPlace := c.service.byCreation && c.crossed
	retained := slices.Contains(c.service.items, item)
	if c.moved && !retained {
		c.got[item], c.latest[item.ID] = true, item.Fingerprint
		return // another log may not know yet that it is over
	}
	if c.known[item] && !p.again && !inPlace && !c.service.comesAgain {
		c.errorf("%v comes again, want it once", item)
	}
	c.got[item], c.known[item], c.latest[item.ID] = true, true, item.Fingerprint
	if p.again || c.service.byCreation || c.service.comesAgain {
		return
	}
	if p.step < c.newest {
		c.errorf("%v was published at %d and comes after one of %d, want the order kept", item, p.step, c.newest)
	}
	c.newest = p.step
}

// wantAll wants a client that has caught up to have got everything that is
// retained, and to know if anything was evicted before it could get it.
func (c *client) wantAll() {
	retained := map[Item]bool{}
	for _, item := range c.service.items {
		retained[item] = true
	}
	for item, p := range c.service.published {
		told := c.gap >= p.step && !retained[item] || c.gap >= p.step && c.at.log.bounds != wide
		switch {
		case c.got[item] && (!retained[item] || c.latest[item.ID] == item.Fingerprint), told, c.service.byCreation && c.crossed && p.overwrote:
		case retained[item]:
			c.errorf("%v, which was published at %d, is not what came last, though it is retained: %v", item, p.step, c.service.items)
		case p.evicted && !(c.service.byCreation && p.overwrote): // an old one, in its place
			c.errorf("%v, which was published at %d, never came, and there was no gap since", item, p.step)
		}
	}
}

// A world is one run of the model.
type world struct {
	r         *rand.Rand
	service   *service
	ids       int    // how many items there are
	purges    bool   // the node may be purged
	bounds    Bounds // of the logs
	clients   []*client
	followers []*follower
}

func TestModel(t *testing.T) {
	for _, tt := range []struct {
		name       string
		byCreation bool
		capacity   int
		bounds     Bounds
		again      bool
		purges     bool
	}{
		{"by publication", false, 20, wide, false, true},
		{"by publication, much retained", false, 60, wide, false, true},
		{"by publication, a few states that come again", false, 20, wide, true, true},
		{"by creation, a few states that come again", true, 20, wide, true, true},
		{"by publication, logs retain little", false, 40, Bounds{25, 1 << 20}, false, false},
		{"by creation", true, 20, wide, false, true},
		{"by creation, much retained", true, 60, wide, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(40) {
				w := &world{
					r:       rand.New(rand.NewPCG(seed, 1)),
					service: &service{byCreation: tt.byCreation, comesAgain: tt.again, capacity: tt.capacity, published: map[Item]*publication{}},
					ids:     1, bounds: tt.bounds, purges: tt.purges,
				}
				w.run(t, fmt.Sprint("seed ", seed))
				if t.Failed() {
					return
				}
			}
		})
	}
}

func (w *world) run(t *testing.T, name string) {
	for range 2 {
		w.follow()
	}
	for i := range 4 {
		w.clients = append(w.clients, &client{
			t: t, name: fmt.Sprint(name, ", client ", i), r: w.r, service: w.service, got: map[Item]bool{}, known: map[Item]bool{}, latest: map[string]uint64{},
		})
	}
	for _, c := range w.clients {
		c.connect(w.followers[0], false)
	}
	for range 30 {
		for range w.r.IntN(40) {
			w.happen()
		}
		w.catchUp()
		if t.Failed() {
			return
		}
	}
}

// follow has a new process follow the node.
func (w *world) follow() {
	f := &follower{service: w.service, log: NewLog("source", w.bounds, func() {}), linked: true}
	f.settle()
	w.followers = append(w.followers, f)
	w.service.heard = append(w.service.heard, f)
}

// happen has something happen.
func (w *world) happen() {
	switch n := w.r.IntN(100); {
	case n < 50:
		w.publish()
	case n < 55 && len(w.service.items) > 0:
		w.service.retract(w.r.IntN(len(w.service.items)))
	case n < 56 && w.purges && w.r.IntN(5) == 0:
		w.service.purge()
	case n < 62:
		w.followers[w.r.IntN(len(w.followers))].lose()
	case n < 72:
		w.link(w.followers[w.r.IntN(len(w.followers))])
	case n < 74:
		i := w.r.IntN(len(w.followers)) // its process starts anew
		for _, c := range w.clients {
			if c.at == w.followers[i] {
				c.at = nil
			}
		}
		w.follow()
		w.followers[i] = w.followers[len(w.followers)-1]
		w.followers = w.followers[:len(w.followers)-1]
		w.service.heard = append([]*follower(nil), w.followers...)
	default:
		c := w.clients[w.r.IntN(len(w.clients))]
		breaks := w.r.IntN(3) == 0
		f := w.followers[w.r.IntN(len(w.followers))]
		switch {
		case c.at != nil:
			c.read(breaks)
		case f.settled:
			c.connect(f, breaks)
		}
	}
}

func (w *world) publish() {
	known := w.service.items
	if len(known) > 0 && w.r.IntN(3) == 0 || w.service.comesAgain && len(known) == maxMarks-1 {
		item := known[w.r.IntN(len(known))]
		item.Fingerprint++
		if w.service.comesAgain { // now and then as it is, or as it was before
			item.Fingerprint = uint64(w.r.IntN(2)) + 1
		}
		w.service.publish(item)
		return
	}
	w.ids++
	w.service.publish(Item{ID: fmt.Sprint("i", w.ids), Fingerprint: 1})
}

// link brings the link back, if it is lost, and asks what is retained. What
// happens until the answer comes waits for it.
func (w *world) link(f *follower) {
	if !f.linked {
		f.linked = true
		for range w.r.IntN(3) {
			w.publish()
		}
	}
	f.settle()
}

// catchUp has all logs hear again, and all clients get what there is.
func (w *world) catchUp() {
	for _, f := range w.followers {
		w.link(f)
	}
	for _, c := range w.clients {
		if c.at != nil {
			c.read(false)
		}
		if c.at == nil {
			c.connect(w.followers[w.r.IntN(len(w.followers))], false)
		}
		c.wantAll()
	}
}
