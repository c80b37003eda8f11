package faulttest

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParser(t *testing.T) {
	for _, tt := range []struct {
		stream string
		want   []message
		lastID string
	}{
		{"data: a\n\n", []message{{"message", "0", "a"}}, "0"},
		{"\uFEFFdata:a\r\rdata:b\r\n\r\n", []message{{"message", "0", "a"}, {"message", "0", "b"}}, "0"},
		{"event: x\nid: 1\ndata: a\ndata\ndata:  b\n\n", []message{{"x", "1", "a\n\n b"}}, "1"},
		{":\nretry: 1\n: comment\ndata: a\n\n", []message{{"message", "0", "a"}}, "0"},
		{"event: x\n\ndata: a\n\n", []message{{"message", "0", "a"}}, "0"},
		{"id: 1\n\ndata: a\n\n", []message{{"message", "1", "a"}}, "1"},
		{"id: 1\x00\ndata: a\n\n", []message{{"message", "0", "a"}}, "0"},
		{"id\ndata: a\n\n", []message{{"message", "", "a"}}, ""},
		{"id: 1\ndata: a\n", nil, "0"},
		{"id: 1\ndata: a\n\nid: 2\ndata: b", []message{{"message", "1", "a"}}, "1"},
		{"data\n\ndata:\n\n", []message{{"message", "0", ""}, {"message", "0", ""}}, "0"},
	} {
		p := newParser(iotest.OneByteReader(strings.NewReader(tt.stream)), "0")
		var got []message
		for {
			m, err := p.next()
			if err == io.EOF {
				break
			}
			got = append(got, m)
		}
		if !slices.Equal(got, tt.want) || p.lastID != tt.lastID {
			t.Errorf("%q is %q and last %q, want %q and %q", tt.stream, got, p.lastID, tt.want, tt.lastID)
		}
	}
}
