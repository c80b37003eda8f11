package eventstream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestChunk(t *testing.T) {
	for _, size := range []int{1, 2, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65_536, 300_000, 1 << 24} {
		body := strings.Repeat("x", size)
		c := NewChunk([]byte(body[:size/2]), nil, []byte(body[size/2:]))
		wantChunk(t, fmt.Sprint(size, " bytes"), c, body)
	}
}

// wantChunk wants a chunk to have a body, and to be framed as HTTP/1.1 wants it.
func wantChunk(t *testing.T, what string, c Chunk, body string) {
	t.Helper()
	if c.IsEmpty() != (body == "") || string(c.Body()) != body {
		t.Errorf("%s: the body is %.80q, want %.80q", what, c.Body(), body)
	}
	framed := fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	if body == "" {
		framed = "" // what it would be is the last chunk
	}
	if got := string(c.Framed()); got != framed {
		t.Errorf("%s: framed it is %.80q, want %.80q", what, got, framed)
	}
}

func TestEmptyChunk(t *testing.T) {
	for what, c := range map[string]Chunk{"no parts": NewChunk(), "empty parts": NewChunk(nil, []byte{}), "zero": {}, "lent": lend(&Joiner{}, "")} {
		wantChunk(t, what, c, "")
		if n := len(c.Rest(0)); n > 0 {
			t.Errorf("%s: the rest has %d bytes, want none", what, n)
		}
	}
}

// lend returns a chunk that the joiner lent.
func lend(j *Joiner, body string) Chunk { return j.Lend(append(j.Scratch(), body...)) }

// TestChunkIsACopy: who made the chunk may use the parts for something else.
func TestChunkIsACopy(t *testing.T) {
	part := []byte("abc")
	c := NewChunk(part)
	clear(part)
	wantChunk(t, "after its part changed", c, "abc")
}

func TestEntryIsAChunk(t *testing.T) {
	l := hear(newLog(), "a")
	e := wantEntries(t, l, 0)[0]
	wantChunk(t, "an entry", e.chunk, string(Event{ID: l.ID(1), Data: "a"}.Append(nil)))
}

// TestRest: the rest of a chunk is not copied for each stream, unless its memory
// is used for something else.
func TestRest(t *testing.T) {
	j := &Joiner{}
	shared, lent := NewChunk([]byte("hello")), lend(j, "hello")
	for n := range len("5\r\nhello\r\n") + 1 {
		for what, c := range map[string]Chunk{"shared": shared, "lent": lent} {
			if got, want := string(c.Rest(n)), "5\r\nhello\r\n"[n:]; got != want {
				t.Errorf("%s: from byte %d it is %q, want %q", what, n, got, want)
			}
		}
	}
	if &shared.Rest(4)[0] != &shared.Framed()[4] {
		t.Error("the rest of a chunk that is shared is copied")
	}
	rest := lent.Rest(4)
	lend(j, "other")
	if !bytes.Equal(rest, []byte("ello\r\n")) {
		t.Errorf("the rest of a chunk that was lent became %q", rest)
	}
}
