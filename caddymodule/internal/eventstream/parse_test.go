package eventstream

import (
	"strings"
	"time"
)

// A dispatched event is what a page gets.
type dispatched struct{ name, id, data string }

// parse reads a whole stream as WHATWG HTML §9.2.6 says. It shares nothing with
// the code it checks.
func parse(stream string) (events []dispatched, retry time.Duration) {
	stream = strings.TrimPrefix(stream, "\uFEFF")
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	stream = strings.ReplaceAll(stream, "\r", "\n")
	lines := strings.Split(stream, "\n")
	lines = lines[:len(lines)-1] // what has no end is no line
	var name, id, data string
	for _, line := range lines {
		if line == "" {
			if data != "" {
				if name == "" {
					name = "message"
				}
				events = append(events, dispatched{name, id, strings.TrimSuffix(data, "\n")})
			}
			name, data = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		case "retry":
			var ms time.Duration
			for _, c := range value {
				if c < '0' || c > '9' {
					ms = 0
					break
				}
				ms = ms*10 + time.Duration(c-'0')
			}
			retry = ms * time.Millisecond
		}
	}
	return events, retry
}

// join returns the entries as they are written to a stream.
func join(entries []*Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.Write(e.Body())
	}
	return b.String()
}
