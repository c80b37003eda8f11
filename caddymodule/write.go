package caddymodule

import (
	"sync"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// This file is how a response is written by its own goroutine.

// maxWrite is how much is written at a time. A client need not be fast but only
// go on reading.
const maxWrite = 64 << 10

// joiners are for who joins events and has written them before the next. They
// join no more than what HTTP/2 buffers, so that who waits for a client, which
// is to flush, has none in hand.
var joiners = sync.Pool{New: func() any { return &eventstream.Joiner{Own: true, Max: 4 << 10} }}

// writeNext writes what there is.
func (s *response) writeNext() error {
	j := joiners.Get().(*eventstream.Joiner)
	defer joiners.Put(j)
	chunk, more, end := s.Next(j)
	s.more = more
	if err := s.write(chunk.Body()); err != nil || end == nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return end
}

// write writes p, which is flushed when there is nothing more to write.
func (s *response) write(p []byte) error {
	for len(p) > 0 {
		s.member.BeginWrite()
		n, err := s.w.Write(p[:min(len(p), maxWrite)])
		s.member.EndWrite()
		if err != nil {
			return err
		}
		s.bytes += int64(n)
		p, s.buffered = p[n:], true
	}
	return nil
}

// flush sees that what was written leaves.
func (s *response) flush() error {
	if !s.buffered {
		return nil
	}
	s.wrote, s.buffered = time.Now(), false
	s.member.BeginWrite()
	err := s.rc.Flush()
	s.member.EndWrite()
	return err
}

// wait waits until there may be something new, or the channel is closed, which
// may be nil; and keeps the client from giving up. An error is why the stream
// has to end, or why there is no sense in waiting any longer.
func (s *response) wait(also <-chan struct{}) error {
	if err := s.flush(); err != nil {
		return err
	}
	s.member.WakeAt(s.due())
	select {
	case <-s.member.Woken():
	case <-also:
	case <-s.gone:
		return delivery.ErrGone
	}
	if err := s.member.Over(); err != nil {
		return err
	}
	now := time.Now()
	if !s.patience.IsZero() && !now.Before(s.patience) {
		return errHeld
	}
	if s.began && !now.Before(s.beat()) {
		return s.write([]byte(eventstream.Heartbeat))
	}
	return nil
}

// beat returns when a heartbeat has to be sent.
func (s *response) beat() time.Time {
	every := time.Duration(s.handler.Heartbeat)
	return s.wrote.Add(every - delivery.Slack(every))
}

// due returns when wait has to do something even if nothing is new.
func (s *response) due() time.Time {
	if s.began {
		return s.beat()
	}
	return s.patience
}
