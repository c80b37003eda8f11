package eventstream

import (
	"encoding/binary"
	"hash/fnv"
)

// A mark tells one version of an item from all others, in few bits so that IDs
// can have several: half of them are of the item's ID, half of ID and content.
type mark uint64

const (
	markBytes   = 5
	contentBits = 20
)

func newMark(item Item) mark {
	id := itemHash(item.ID)
	content := (id ^ item.Fingerprint) * 0x9E3779B97F4A7C15 // Fibonacci hashing
	return mark(id&(1<<contentBits-1))<<contentBits | mark(content>>(64-contentBits))
}

// itemHash hashes an item's ID, in every process alike.
func itemHash(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	return h.Sum64()
}

// sameItem reports whether two marks are most likely of versions of one item.
func (m mark) sameItem(other mark) bool { return m>>contentBits == other>>contentBits }

func (m mark) append(dst []byte) []byte {
	var b [8]byte
	return append(dst, binary.BigEndian.AppendUint64(b[:0], uint64(m))[8-markBytes:]...)
}

func parseMark(b []byte) (m mark) {
	for _, c := range b[:markBytes] {
		m = m<<8 | mark(c)
	}
	return m
}
