package browsertest

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// A stream is an event stream that is read without a browser, by the letter of
// the standard (WHATWG HTML §9.2.6) and not by our code.
type stream struct {
	t    *testing.T
	in   *bufio.Reader
	last string // event ID
}

// openStream opens an event stream, which is closed when the test ends.
func openStream(t *testing.T, url string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, res.Status)
	}
	return &stream{t: t, in: bufio.NewReader(res.Body)}
}

// next waits for the next event.
func (s *stream) next() event {
	s.t.Helper()
	name := "message"
	var data []string
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatalf("reading the stream: %v", err)
		}
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, "\r") {
			s.t.Fatalf("a line has a CR: %q", line)
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data != nil:
			return event{Name: name, ID: s.last, Data: strings.Join(data, "\n")}
		case line == "":
			name = "message"
		case field == "event":
			name = value
		case field == "id":
			s.last = value
		case field == "data":
			data = append(data, value)
		}
	}
}
