package eventstream

import (
	"strconv"
	"strings"
	"time"
)

// Heartbeat is a comment line. It has no blank line after it, which some
// clients take for an event without data.
const Heartbeat = ":\n"

// An Event is what one block of an event stream says. Name may be empty, which
// makes it a "message" to clients, and Data may have several lines.
type Event struct {
	Name, ID, Data string
}

// Append appends the event as it is written to a stream, and returns the
// extended buffer. Name and ID must be free of CR, LF and NUL; Data may hold
// anything: each of its lines (which CR, LF and CRLF end) is one of the
// field's, so nothing in it can start another field.
func (e Event) Append(dst []byte) []byte {
	if e.Name != "" {
		dst = append(append(append(dst, "event: "...), e.Name...), '\n')
	}
	dst = append(append(append(dst, "id: "...), e.ID...), '\n')
	for data, more := e.Data, true; more; {
		var line string
		line, data, more = cutLine(data)
		dst = append(append(append(dst, "data: "...), line...), '\n')
	}
	return append(dst, '\n')
}

// cutLine cuts s at its first end of line.
func cutLine(s string) (line, rest string, more bool) {
	i := strings.IndexAny(s, "\r\n")
	if i < 0 {
		return s, "", false
	}
	line, rest = s[:i], s[i+1:]
	if s[i] == '\r' && strings.HasPrefix(rest, "\n") {
		rest = rest[1:]
	}
	return line, rest, true
}

// Comment returns text, which must be one line, as a comment line.
func Comment(text string) string { return ": " + text + "\n" }

// Retry returns the line that sets the reconnection time of a client. It takes
// effect without a blank line after it.
func Retry(d time.Duration) string {
	return "retry: " + strconv.FormatInt(d.Milliseconds(), 10) + "\n"
}
