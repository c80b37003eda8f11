package eventstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// read is what a Joiner returned.
type read struct {
	chunk      Chunk
	next       Position
	more, over bool
}

// wantRead has a joiner read, and wants it to return events with such data.
func wantRead(t *testing.T, j *Joiner, l *Log, at Position, want string, more, over bool) Chunk {
	t.Helper()
	var got read
	var err error
	got.chunk, got.next, got.more, got.over, err = j.Read(l, at)
	if err != nil {
		t.Fatal(err)
	}
	wantData(t, got.chunk, want)
	if next := at + Position(len(strings.Fields(want))); got.next != next || got.more != more || got.over != over {
		t.Errorf("from %d: it goes on at %d, more is %v, over %v; want %d, %v, %v", at, got.next, got.more, got.over, next, more, over)
	}
	return got.chunk
}

// wantData wants a chunk to have events with such data.
func wantData(t *testing.T, c Chunk, want string) {
	t.Helper()
	events, _ := parse(string(c.Body()))
	var data []string
	for _, ev := range events {
		data = append(data, ev.data)
	}
	if got := strings.Join(data, " "); got != want {
		t.Errorf("it has %.80q, want %.80q", got, want)
	}
	wantChunk(t, want, c, string(c.Body()))
}

// same reports whether two chunks are in the same memory.
func same(a, b Chunk) bool { return &a.Framed()[0] == &b.Framed()[0] }

func TestJoin(t *testing.T) {
	l := newLog()
	var j Joiner
	wantRead(t, &j, l, 0, "", false, false)
	hear(l, "a -a *")
	wantRead(t, &j, l, 0, "a -a *", false, false)
	wantRead(t, &j, l, 1, "-a *", false, false)
	wantRead(t, &j, l, 3, "", false, false)
	one := wantRead(t, &j, l, 2, "*", false, false)
	if !same(one, l.entries.all[2].chunk) {
		t.Error("an event is copied though it is alone")
	}
}

// TestJoinIsShared: streams at the same place get the same chunk. What came
// meanwhile is for the next time, and they are told of it.
func TestJoinIsShared(t *testing.T) {
	l := hear(newLog(), "a b")
	var j Joiner
	first := wantRead(t, &j, l, 0, "a b", false, false)
	if !same(first, wantRead(t, &j, l, 0, "a b", false, false)) {
		t.Error("what was joined is joined again")
	}
	hear(l, "c")
	if !same(first, wantRead(t, &j, l, 0, "a b", true, false)) {
		t.Error("what was joined is joined again")
	}
	wantRead(t, &j, l, 2, "c", false, false)
	wantRead(t, &j, l, 0, "a b c", false, false)
	wantData(t, first, "a b") // it may yet be written
}

func TestJoinLogsApart(t *testing.T) {
	a, b := hear(newLog(), "a1 a2"), hear(newLog(), "b1 b2")
	var j Joiner
	for range 3 {
		wantRead(t, &j, a, 0, "a1 a2", false, false)
		wantRead(t, &j, b, 0, "b1 b2", false, false)
	}
}

func TestJoinOver(t *testing.T) {
	l := hear(newLog(), "a b")
	var j Joiner
	wantRead(t, &j, l, 0, "a b", false, false)
	l.Close()
	wantRead(t, &j, l, 1, "b", false, true)
	wantRead(t, &j, l, 1, "b", false, true)
	wantRead(t, &j, l, 2, "", false, true)
	j.Forget()
	wantRead(t, &j, l, 0, "a b", false, true)
	wantRead(t, &j, l, 0, "a b", false, true)
	j.Max = 1
	wantRead(t, &j, l, 0, "a", true, false)
	wantRead(t, &j, l, 1, "b", false, true)
}

// TestJoinOverShared: what is shared was read before the log was closed. A
// stream that gets it has its end to come.
func TestJoinOverShared(t *testing.T) {
	l := hear(newLog(), "a b")
	var j Joiner
	wantRead(t, &j, l, 0, "a b", false, false)
	l.Close()
	wantRead(t, &j, l, 0, "a b", false, false)
	wantRead(t, &j, l, 2, "", false, true)
}

func TestJoinLagged(t *testing.T) {
	l := hear(NewLog("source", Bounds{2, 1 << 20}, func() {}), "a b")
	var j Joiner
	wantRead(t, &j, l, 0, "a b", false, false)
	hear(l, "c d")
	wantRead(t, &j, l, 0, "a b", true, false) // it is still there
	j.Forget()
	chunk, next, more, over, err := j.Read(l, 1)
	if !errors.Is(err, ErrLagged) || !chunk.IsEmpty() || next != 1 || more || over {
		t.Errorf("got %q, %d, %v, %v, %v; want %v", chunk.Body(), next, more, over, err, ErrLagged)
	}
	if entries, next, more, over, err := j.Entries(l, 1); !errors.Is(err, ErrLagged) || len(entries) > 0 || next != 1 || more || over {
		t.Errorf("got %d entries, %d, %v, %v, %v; want %v", len(entries), next, more, over, err, ErrLagged)
	}
	wantRead(t, &j, l, 2, "c d", false, false)
}

// TestEntries: who joins the events, gets as many as would be joined.
func TestEntries(t *testing.T) {
	l := hear(newLog(), "a b c")
	j := Joiner{Max: 1}
	for at := range Position(3) {
		entries, next, more, over, err := j.Entries(l, at)
		if err != nil || next != at+1 || more != (at < 2) || over {
			t.Errorf("from %d: it goes on at %d, more is %v, over %v, %v", at, next, more, over, err)
		}
		wantWords(t, "the entries", entries, []string{"a", "b", "c"}[at])
	}
	l.Close()
	j.Max = 0
	entries, next, more, over, err := j.Entries(l, 0)
	if err != nil || next != 3 || more || !over {
		t.Errorf("all: it goes on at %d, more is %v, over %v, %v", next, more, over, err)
	}
	wantWords(t, "all entries", entries, "a b c")
}

func TestJoinMax(t *testing.T) {
	big := strings.Repeat("x", 30_000)
	l := hear(newLog(), strings.Repeat(big+" ", 5)+strings.Repeat("y", 100_000)+" a b c")
	small := wantEntries(t, l, 6)
	two := small[0].size() + small[1].size()
	for _, tt := range []struct {
		at   Position
		max  int
		want int
		more bool
	}{
		{0, 0, 2, true}, {2, 0, 2, true}, {4, 0, 1, true}, {5, 0, 1, true}, {6, 0, 3, false},
		{6, two, 2, true}, {6, two - 1, 1, true}, {6, 1, 1, true}, {8, 1, 1, false}, {0, 1 << 20, 9, false},
	} {
		_, next, more, _, err := (&Joiner{Max: tt.max}).Read(l, tt.at)
		if err != nil || next != tt.at+Position(tt.want) || more != tt.more {
			t.Errorf("up to %d bytes from %d: it goes on at %d, more is %v; want %d, %v; %v", tt.max, tt.at, next, more, int(tt.at)+tt.want, tt.more, err)
		}
	}
}

// TestJoinOwn: such a joiner uses its memory again, and no other.
func TestJoinOwn(t *testing.T) {
	l := hear(newLog(), "aa bb cc dd")
	j := Joiner{Own: true, Max: 1 << 20}
	first := wantRead(t, &j, l, 0, "aa bb cc dd", false, false)
	if !same(first, wantRead(t, &j, l, 0, "aa bb cc dd", false, false)) {
		t.Error("what was joined is joined again")
	}
	rest := first.Rest(0)
	if !same(first, wantRead(t, &j, l, 0, "aa bb cc dd", false, false)) {
		t.Error("to keep it changes it")
	}
	j.Forget()
	second := wantRead(t, &j, hear(newLog(), "AA BB CC DD"), 0, "AA BB CC DD", false, false)
	if !same(first, second) {
		t.Error("its memory is not used again")
	}
	if !strings.Contains(string(rest), "data: aa\n") {
		t.Error("what was kept changed")
	}
	wantRead(t, &j, l, 0, "aa bb cc dd", false, false)
	wantData(t, lend(&j, "data: x\n\n"), "x")
	wantRead(t, &j, l, 0, "aa bb cc dd", false, false)
	at := Position(0)
	if n := testing.AllocsPerRun(100, func() {
		_, _, _, _, _ = j.Read(l, at%3)
		at++
	}); n > 0 {
		t.Errorf("%v allocations for each read, want none", n)
	}
}

// TestScratchIsNotShared: who uses the memory of a joiner spoils what was joined
// there, which the next stream must not get.
func TestScratchIsNotShared(t *testing.T) {
	l := hear(newLog(), "a b")
	for _, own := range []bool{true, false} {
		j := Joiner{Own: own}
		wantRead(t, &j, l, 0, "a b", false, false)
		wantData(t, lend(&j, "data: "+strings.Repeat("x", 300)+"\n\n"), strings.Repeat("x", 300))
		wantRead(t, &j, l, 0, "a b", false, false)
	}
}

// TestForget: a joiner that is at rest holds on to no event.
func TestForget(t *testing.T) {
	l := hear(newLog(), "a b c")
	var j Joiner
	j.Forget()
	wantRead(t, &j, l, 0, "a b c", false, false)
	wantRead(t, &j, l, 2, "c", false, false)
	j.Forget()
	for _, e := range j.entries[:cap(j.entries)] {
		if e != nil {
			t.Error("it holds on to an event")
		}
	}
	if j.log != nil || !j.chunk.IsEmpty() {
		t.Error("it holds on to what was joined")
	}
	wantRead(t, &j, l, 2, "c", false, false)
}

// TestJoinerModel has streams read several logs through one joiner, at any pace:
// each gets all events once, in order.
func TestJoinerModel(t *testing.T) {
	for seed := range uint64(200) {
		joinAtRandom(t, rand.New(rand.NewPCG(seed, 0)))
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { joinAtRandom(t, rand.New(rand.NewPCG(a, b))) })
}

// A reader is a stream that reads a log.
type reader struct {
	log  *Log
	at   Position
	over bool
}

func joinAtRandom(t *testing.T, random *rand.Rand) {
	j := &Joiner{Own: random.IntN(2) == 0, Max: []int{0, 1, 300, 2000}[random.IntN(4)]}
	logs := []*Log{newLog(), newLog()}
	lengths := make(map[*Log]int)
	var readers []*reader
	for range 1 + random.IntN(6) {
		readers = append(readers, &reader{log: logs[random.IntN(2)]})
	}
	step := func(r *reader) {
		chunk, next, more, over, err := j.Read(r.log, r.at)
		if err != nil || r.over && next != r.at {
			t.Fatalf("from %d of %d: %v, or more than all", r.at, lengths[r.log], err)
		}
		wantSeries(t, chunk, int(r.at), int(next))
		r.at, r.over = next, over
		if more != (int(next) < lengths[r.log]) || over && (more || !r.log.closed) {
			t.Errorf("at %d of %d: more is %v, over %v", next, lengths[r.log], more, over)
		}
	}
	for range 100 {
		l := logs[random.IntN(2)]
		switch random.IntN(12) {
		case 0:
			j.Forget()
		case 1:
			wantChunk(t, "what was lent", lend(j, "x"), "x")
		case 2, 3, 4:
			if !l.closed {
				l.Append(Event{Data: fmt.Sprint(lengths[l])})
				lengths[l]++
			}
		case 5:
			if random.IntN(20) == 0 {
				l.Close()
			}
		default:
			step(readers[random.IntN(len(readers))])
		}
	}
	for _, l := range logs {
		l.Close()
	}
	for _, r := range readers {
		for n := 0; !r.over; n++ {
			if step(r); n > 1000 {
				t.Fatalf("it does not come to an end at %d of %d", r.at, lengths[r.log])
			}
		}
		if int(r.at) != lengths[r.log] {
			t.Errorf("it ended at %d, want %d", r.at, lengths[r.log])
		}
	}
}

// wantSeries wants a chunk to have the events from..to-1.
func wantSeries(t *testing.T, c Chunk, from, to int) {
	t.Helper()
	var want []string
	for i := from; i < to; i++ {
		want = append(want, fmt.Sprint(i))
	}
	wantData(t, c, strings.Join(want, " "))
}
