package eventstream

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkAppend appends events to a log that is full, of a node whose items
// are overwritten, and of one with ever new items.
func BenchmarkAppend(b *testing.B) {
	for _, bb := range []struct {
		name  string
		items int
	}{{"overwritten", 20}, {"new", 1 << 20}} {
		b.Run(bb.name, func(b *testing.B) {
			l := hear(NewLog("source", Bounds{1024, 8 << 20}, func() {}), series("a", 1, 1024))
			ids := make([]string, bb.items)
			for i := range ids {
				ids[i] = fmt.Sprint("item", i)
			}
			data := strings.Repeat("x", 500)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				l.Publish(Item{ID: ids[i%uint64(len(ids))], Fingerprint: i}, Event{Data: data})
				i++
			}
		})
	}
}

// BenchmarkResume has a client come back to a log with 1024 events and items, as
// it does after the process was restarted.
func BenchmarkResume(b *testing.B) {
	l := NewLog("source", Bounds{1024, 8 << 20}, func() {})
	hear(l, series("~a", 1, 1024))
	other := hear(newLog(), series("a", 1, 1020))
	for _, bb := range []struct{ name, id string }{
		{"exactly", l.ID(1020)},
		{"in another log", endID(other)},
		{"in another log, the last overwritten", endID(hear(other, "a1020=1"))},
		{"not found", endID(hear(newLog(), series("b", 1, 10)))},
		{"after an item", "a1020"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Resume(bb.id)
			}
		})
	}
}
