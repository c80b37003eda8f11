package delivery

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// BenchmarkDelivery writes an event, and several at once, to clients that keep
// up, over TCP. What the clients do is not in the time for a delivery, which is
// all events to one of them.
func BenchmarkDelivery(b *testing.B) {
	for _, burst := range []int{1, 64} {
		for _, clients := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("events=%d/clients=%d", burst, clients), func(b *testing.B) { deliver(b, burst, clients) })
		}
	}
}

func deliver(b *testing.B, burst, clients int) {
	s := newStill(b)
	l, a := s.source(eventstream.Bounds{Events: 1024, Bytes: 8 << 20})
	fds := takeMany(b, s.rig, clients, l, a)
	s.work()
	buf := make([]byte, 256<<10)
	i := 0
	var spent time.Duration
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		put(l, i+1, i+burst, 200)
		i += burst
		began := time.Now()
		s.work()
		spent += time.Since(began)
		for _, fd := range fds {
			drain(b, fd, buf)
		}
	}
	runtime.ReadMemStats(&after)
	deliveries := float64(b.N) * float64(clients)
	b.ReportMetric(float64(spent.Nanoseconds())/deliveries, "ns/delivery")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/deliveries, "allocs/delivery")
	b.ReportMetric(0, "ns/op") // has what the clients do
}

// BenchmarkNotify tells an audience that there is something new: it takes as
// long for few streams as for many.
func BenchmarkNotify(b *testing.B) {
	for _, members := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			s := newStill(b)
			a := s.NewAudience()
			for range members {
				s.join(newStream(nil), beat, a)
			}
			s.work()
			b.ReportAllocs()
			for b.Loop() {
				a.Notify()
				// As if the loop had looked.
				s.loop.told = s.loop.told[:0]
				a.sections[0].Load().told.Store(false)
			}
		})
	}
}
