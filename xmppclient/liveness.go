package xmppclient

import (
	"context"
	"errors"
	"time"
)

const (
	// pingAfter is how long the link may be silent before we ask.
	pingAfter = 25 * time.Second
	// deadAfter is how long it may be silent in all. Together with a write
	// that is under way, a dead link is noticed within 60 s.
	deadAfter = 50 * time.Second
	// throttle is the slowest that a server is known to read its clients, in
	// bytes per second. An answer cannot come before the question was read,
	// nor the question before what was written ahead of it.
	throttle = 2500
)

var errSilent = errors.New("nothing was heard from the server for too long")

// watch asks the server for a sign of life when nothing comes, and breaks the
// link if nothing comes still. Any byte is a sign of life: an answer may be
// queued behind much else. It returns when ctx ends.
func (s *session) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var asked time.Time // the last byte that was followed by a ping
	for ctx.Err() == nil {
		heard := time.Unix(0, s.link.heard.Load())
		patience := deadAfter + time.Duration(s.link.owed.Load())*time.Second/throttle
		switch idle := time.Since(heard); {
		case idle >= patience:
			s.link.drop(errSilent)
			return
		case idle >= pingAfter && heard != asked:
			asked = heard
			s.ping(newID())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// ping asks the server for an answer (XEP-0199). If that fails the link is
// broken, which is seen elsewhere.
func (s *session) ping(id string) {
	_ = s.send("get", id, s.client.cfg.Account.Domainpart(), "<ping xmlns='"+nsPing+"'/>")
}

// sleep waits for d, or until ctx ends and then says so.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
