package delivery

import "testing"

// TestNotifyTellsOnce: what nobody has looked at yet needs no telling again.
func TestNotifyTellsOnce(t *testing.T) {
	s := newStill(t)
	a := s.NewAudience()
	a.Notify()
	if n := len(s.loop.told); n > 0 {
		t.Errorf("a loop without a stream was told %d times", n)
	}
	one := s.join(newStream(nil), beat, a)
	for range 100 {
		a.Notify()
	}
	if n := len(s.loop.told); n != 1 {
		t.Errorf("the loop was told %d times, want once", n)
	}
	s.work()
	a.Notify()
	if n := len(s.loop.told); n != 1 {
		t.Errorf("after it looked, the loop was told %d times, want once", n)
	}
	s.work()
	if n := len(one.member.Woken()); n != 1 {
		t.Errorf("woken %d times, want once", n)
	}
}

// TestManyDoNotHoldUpOthers: the loop does not go through all streams of a
// source before it turns to the next one.
func TestManyDoNotHoldUpOthers(t *testing.T) {
	s := newStill(t)
	crowd, a, b := s.NewAudience(), s.NewAudience(), s.NewAudience()
	const many = 10 * slice
	var all []*stream
	for range many {
		all = append(all, s.join(newStream(nil), beat, crowd))
	}
	one, two := s.join(newStream(nil), beat, a), s.join(newStream(nil), beat, b)
	s.work()
	for _, m := range append(all, one, two) {
		<-m.member.Woken() // for what it may have missed
	}
	woken := func() (n int) {
		for _, m := range all {
			n += len(m.member.Woken())
		}
		return n
	}
	crowd.Notify()
	a.Notify()
	s.loop.round()
	b.Notify() // it is told while the pass is under way
	s.loop.round()
	s.loop.round()
	s.loop.round()
	if len(one.member.Woken()) == 0 || len(two.member.Woken()) == 0 {
		t.Error("others wait for the streams of one source")
	}
	if n := woken(); n != 2*slice {
		t.Errorf("%d streams had their turn, want %d", n, 2*slice)
	}
	if s.work(); woken() != many {
		t.Errorf("%d streams were woken, want %d", woken(), many)
	}
}

// TestNotifyDuringPass: those who had their turn get another.
func TestNotifyDuringPass(t *testing.T) {
	s := newStill(t)
	a := s.NewAudience()
	var all []*stream
	for range 3 * slice {
		all = append(all, s.join(newStream(nil), beat, a))
	}
	a.Notify()
	s.loop.round()
	for _, m := range all { // who was woken has looked
		select {
		case <-m.member.Woken():
		default:
		}
	}
	a.Notify()
	s.work()
	for i, m := range all {
		if len(m.member.Woken()) == 0 {
			t.Fatalf("the stream %d was not told again", i)
		}
	}
}

// TestHome: the streams of a source are on few loops, those of several sources
// on several.
func TestHome(t *testing.T) {
	r := &rig{Engine: New()}
	r.begin = func() {}
	r.loops = []*loop{newLoop(r.Engine), newLoop(r.Engine), newLoop(r.Engine)}
	defer r.close(t)
	a, b := r.NewAudience(), r.NewAudience()
	if a.home%3 == b.home%3 {
		t.Error("two sources have the same loop")
	}
	for range 3*together + together/2 {
		r.join(newStream(nil), beat, a)
	}
	for i, want := range []int32{together + together/2, together, together} {
		if got := a.sections[(a.home+i)%3].Load().streams.Load(); got != want {
			t.Errorf("%d streams are on the loop %d, want %d", got, i, want)
		}
	}
	wantStreams(t, a, 3*together+together/2)
}
