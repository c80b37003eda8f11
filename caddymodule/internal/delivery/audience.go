package delivery

import "sync/atomic"

// An Audience is the streams that want to hear of a source.
type Audience struct {
	home     int // the loop of the first ones
	streams  atomic.Int64
	sections []atomic.Pointer[section] // one for each loop; nil if no stream of it ever joined
}

// A section is the part of an audience that is on one loop.
type section struct {
	audience *Audience
	loop     *loop
	streams  atomic.Int32 // that have joined and not left
	told     atomic.Bool  // the loop will go through it

	// Owned by the loop:
	seats  []*seat
	left   int  // seats that this pass has yet to come to, those at the front
	queued bool // in the loop's queue
	again  bool // it was told while a pass was under way
}

// A seat is the place of a member in a section.
type seat struct {
	member  *Member
	section *section
	index   int // owned by the loop
}

// NewAudience returns an audience without streams.
func (e *Engine) NewAudience() *Audience {
	return &Audience{home: int(e.next.Add(1)), sections: make([]atomic.Pointer[section], len(e.loops))}
}

// Notify has all streams of the audience look what is new. It does not wait, and
// may be called from any goroutine.
func (a *Audience) Notify() {
	for i := range a.sections {
		if s := a.sections[i].Load(); s != nil && s.streams.Load() > 0 && !s.told.Swap(true) {
			s.loop.tell(s)
		}
	}
}

// section returns the section of the i-th loop for a stream that joins it.
func (a *Audience) section(l *loop, i int) *section {
	s := a.sections[i].Load()
	if s == nil {
		a.sections[i].CompareAndSwap(nil, &section{audience: a, loop: l})
		s = a.sections[i].Load()
	}
	a.streams.Add(1)
	s.streams.Add(1)
	return s
}

// add seats a member.
func (s *section) add(seat *seat) {
	seat.index = len(s.seats)
	s.seats = append(s.seats, seat)
}

// remove takes a seat away. The last one takes its place, which is one that the
// pass has come to already, or all are yet to come.
func (s *section) remove(gone *seat) {
	last := len(s.seats) - 1
	s.seats[gone.index] = s.seats[last]
	s.seats[gone.index].index = gone.index
	s.seats[last] = nil
	s.seats = s.seats[:last]
	s.left = min(s.left, last)
	s.streams.Add(-1)
	s.audience.streams.Add(-1)
	if last == 0 {
		s.seats = nil
	}
}
