package eventstream

import (
	"encoding/base64"
	"math/bits"
	"strconv"
	"strings"
)

// A last event ID names the state of one source, or of several: the last item
// that is there, and for each source the place in its log.
//
//	<item, percent-encoded>,<place>[,<place>…]
//	place = <source and marks, base64url>.<log><sequence, base 36>
//
// Log and sequence find the place exactly where the log still is. The marks are
// those of the newest items, the newest first, and find it in any other log of
// the source, even if some of them are gone or were overwritten. All of it is
// ASCII without blanks, since clients crash on anything else.

const (
	// separator is between the parts. It cannot occur in them, and is one of
	// the few that browsers send across origins without asking first.
	separator = ","
	// maxItemPart bounds the first part: servers and proxies refuse long
	// headers.
	maxItemPart = 1000
	// maxID bounds what is looked at of an ID that comes back.
	maxID = 16 << 10

	sourceBytes = 3
	maxMarks    = 6
	tagLength   = 6
)

// A place is what an ID says of one source.
type place struct {
	source string // its hash
	marks  []mark // of the newest items, the newest first
	tag    string // of the log
	seq    uint64 // how many events came before
}

// encode returns the place as it is in IDs, in at most 64 bytes.
func (p place) encode() string {
	return p.state() + "." + p.tag + strconv.FormatUint(p.seq, 36)
}

// state returns the source and the marks as they are in IDs.
func (p place) state() string {
	raw := append(make([]byte, 0, sourceBytes+maxMarks*markBytes), p.source...)
	for _, m := range p.marks {
		raw = m.append(raw)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parsePlace(s string) (p place, ok bool) {
	marks, rest, _ := strings.Cut(s, ".")
	if len(rest) < tagLength || escapeItem(rest) != rest {
		return p, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(marks)
	if err != nil || len(raw) < sourceBytes || (len(raw)-sourceBytes)%markBytes != 0 || len(raw) > sourceBytes+maxMarks*markBytes {
		return p, false
	}
	p.source, p.tag = string(raw[:sourceBytes]), rest[:tagLength]
	for raw = raw[sourceBytes:]; len(raw) > 0; raw = raw[markBytes:] {
		p.marks = append(p.marks, parseMark(raw))
	}
	p.seq, err = strconv.ParseUint(rest[tagLength:], 36, 64)
	return p, err == nil
}

// joinID returns the ID that has an item and places.
func joinID(item string, places ...string) string {
	part := escapeItem(item)
	if len(part) > maxItemPart {
		part = ""
	}
	return part + separator + strings.Join(places, separator)
}

// cutID cuts an ID of ours in its item and its places.
func cutID(id string) (item, places string) {
	item, places, _ = strings.Cut(id, separator)
	return item, places
}

// parseID returns the places in an ID. It reports false if it is not one of
// ours.
func parseID(id string) (places []place, ok bool) {
	if len(id) > maxID {
		return nil, false
	}
	parts := strings.Split(id, separator)
	for _, part := range parts[1:] {
		p, ok := parsePlace(part)
		if !ok {
			return nil, false
		}
		places = append(places, p)
	}
	return places, len(places) > 0
}

// sourceHash returns what stands for a source in IDs.
func sourceHash(name string) string {
	h := bits.RotateLeft64(itemHash(name)*0x9E3779B97F4A7C15, 8*sourceBytes)
	return string([]byte{byte(h), byte(h >> 8), byte(h >> 16)})
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
