package eventstream

import (
	"strconv"
	"strings"
)

// separator is between the two parts of a last event ID. It cannot occur in
// the first, and is one of the few that browsers send across origins without
// asking first.
const separator = ","

// maxItemPart bounds the first part: servers and proxies refuse long headers.
const maxItemPart = 1000

// id returns the last event ID of a place in a log. It starts with the name of
// the last item there, and goes on with what finds the place in this log:
//
//	<item, percent-encoded>,<log>.<sequence>
//
// It is ASCII without blanks, since clients crash on anything else.
func id(item, tag string, seq uint64) string {
	part := escapeItem(item)
	if len(part) > maxItemPart {
		part = ""
	}
	return part + separator + tag + "." + strconv.FormatUint(seq, 36)
}

// parseID returns what id made its result of, less the item.
func parseID(s string) (tag string, seq uint64, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return "", 0, false
	}
	tag, digits, ok := strings.Cut(s[i+1:], ".")
	if !ok {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(digits, 36, 64)
	return tag, seq, err == nil
}

// escapeItem percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986 §2.3).
func escapeItem(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
