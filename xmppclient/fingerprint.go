package xmppclient

import (
	"encoding/binary"
	"encoding/xml"

	"github.com/cespare/xxhash/v2"
)

// A fingerprinter makes one number of the tokens of a payload, by which its
// equals can be told, whoever serialised them and when: what XML gives no
// meaning to, which are the order of attributes, prefixes and their
// declarations, does not count. The zero value is ready, and made to be used
// again.
type fingerprinter struct {
	all, one xxhash.Digest
	some     bool // there was a token
}

// reset makes it forget all tokens.
func (f *fingerprinter) reset() {
	f.all.Reset()
	f.some = false
}

// token takes the next token.
func (f *fingerprinter) token(tok xml.Token) {
	f.some = true
	// A digest takes everything, and XML has neither of the bytes below 3.
	switch t := tok.(type) {
	case xml.StartElement:
		_, _ = f.all.WriteString("\x01")
		space := t.Name.Space
		if space == nsPubSubEvent {
			space = nsPubSub // what is inherited in an event is that in other places
		}
		writeName(&f.all, space, t.Name.Local)
		f.attrs(t.Attr)
	case xml.EndElement:
		_, _ = f.all.WriteString("\x02")
	case xml.CharData:
		_, _ = f.all.Write(t)
	}
}

// attrs takes the attributes, in whatever order.
func (f *fingerprinter) attrs(attrs []xml.Attr) {
	var sum uint64
	for _, a := range attrs {
		if _, ok := declares(a.Name); ok {
			continue
		}
		f.one.Reset()
		writeName(&f.one, a.Name.Space, a.Name.Local)
		_, _ = f.one.WriteString(a.Value)
		sum += f.one.Sum64()
	}
	var b [8]byte
	_, _ = f.all.Write(binary.BigEndian.AppendUint64(b[:0], sum))
}

func writeName(d *xxhash.Digest, space, local string) {
	_, _ = d.WriteString(space)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(local)
	_, _ = d.WriteString("\x00")
}

// sum returns the number, which is 0 only if there was no token.
func (f *fingerprinter) sum() uint64 {
	if !f.some {
		return 0
	}
	return max(f.all.Sum64(), 1)
}
