package caddymodule

import (
	"context"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

const (
	// writeFor is how long a client may take to read what is written.
	writeFor = 20 * time.Second
	// maxWrite is how much is written at a time.
	maxWrite = 64 << 10
)

// write writes frames and sees that they leave. Each maxWrite bytes have time
// of their own, so that a client need not be fast but only go on reading.
func (s *stream) write(frames ...eventstream.Frame) error {
	// Where there are no deadlines, the server's own bounds hold.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeFor))
	left := maxWrite // bytes that may be written in that time
	for _, p := range frames {
		for len(p) > 0 {
			if left == 0 {
				if s.over.Err() != nil {
					return context.Cause(s.over)
				}
				_ = s.rc.SetWriteDeadline(time.Now().Add(writeFor))
				left = maxWrite
			}
			n := min(len(p), left)
			if _, err := s.w.Write(p[:n]); err != nil {
				return err
			}
			p, left = p[n:], left-n
		}
	}
	err := s.rc.Flush()
	if err == nil && s.beat != nil {
		s.beat.Reset(time.Duration(s.handler.Heartbeat))
	}
	// An HTTP/2 stream is reset at its deadline even if nothing is written.
	// Writers without deadlines have nothing to take back.
	_ = s.rc.SetWriteDeadline(time.Time{})
	return err
}
