package delivery

import (
	"testing"
	"time"
)

// beginMany has streams begin, and leave again.
func (s still) beginMany(n int) {
	a := s.NewAudience()
	for range n {
		s.join(newStream(nil), beat, a).member.Leave()
	}
	s.work()
}

// wantTidied wants memory to have been given back so long ago; never if that is
// negative.
func wantTidied(t *testing.T, s still, what string, ago time.Duration) {
	t.Helper()
	tidied := time.Duration(s.tidied.Load())
	switch {
	case ago < 0 && tidied != 0:
		t.Errorf("%s: memory was given back, want not", what)
	case ago >= 0 && tidied == 0:
		t.Errorf("%s: memory was not given back", what)
	case ago >= 0 && (clock()-tidied).Round(time.Second) != ago:
		t.Errorf("%s: memory was given back %v ago, want %v", what, (clock() - tidied).Round(time.Second), ago)
	}
}

func TestTidy(t *testing.T) {
	s := newStill(t)
	s.beginMany(many - 1)
	s.passTime(time.Second)
	s.passTime(time.Second)
	wantTidied(t, s, "few have begun", -1)
	s.beginMany(1)
	s.passTime(time.Second)
	wantTidied(t, s, "some began just now", -1)
	s.passTime(time.Second)
	wantTidied(t, s, "many have begun", 0)
	s.passTime(tidyEvery)
	s.passTime(tidyEvery)
	wantTidied(t, s, "no more began", 2*tidyEvery)
}

func TestTidyNotTooOften(t *testing.T) {
	s := newStill(t)
	s.beginMany(many)
	s.passTime(time.Second)
	s.passTime(time.Second)
	wantTidied(t, s, "many have begun", 0)
	s.beginMany(many)
	s.passTime(time.Second)
	s.passTime(tidyEvery - 3*time.Second)
	wantTidied(t, s, "many have begun soon after that", tidyEvery-2*time.Second)
	s.passTime(tidyEvery)
	s.passTime(tidyEvery)
	s.beginMany(many)
	s.passTime(time.Second)
	s.passTime(time.Second)
	wantTidied(t, s, "many have begun after some time", 0)
}

// TestTidyLater: garbage of streams that began soon after memory was given back
// is given back later, rather than never.
func TestTidyLater(t *testing.T) {
	s := newStill(t)
	for range 2 {
		s.beginMany(many)
		s.passTime(time.Second)
		s.passTime(time.Second)
	}
	s.passTime(tidyEvery)
	s.passTime(tidyEvery)
	wantTidied(t, s, "many began soon after", tidyEvery)
}
