package caddymodule

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const (
	// reloadFor is within what time the streams of a config that is gone end.
	reloadFor = 9 * time.Second
	// exitFor is how long a client may take to read the last that it is told.
	exitFor = time.Second
	// lookEvery is how often a stream whose config is gone looks whether the
	// process exits: its app is not told any more.
	lookEvery = 500 * time.Millisecond
)

// Why streams have to end.
var (
	errExiting = errors.New("the process exits")
	errReload  = errors.New("the config was replaced")
)

// watchTerm sets s.over to end when the stream has to, be it because the
// process exits or because the config is gone, and ends writes that still wait
// then for a client that does not read. The function it returns ends the
// watch.
func (s *stream) watchTerm() (stop func()) {
	over, end := context.WithCancelCause(context.Background())
	s.over = over
	stopped, done := make(chan struct{}), make(chan struct{})
	unwatch := context.AfterFunc(s.handler.app.ending, func() {
		defer close(done)
		s.endTerm(end, stopped)
	})
	return func() {
		close(stopped)
		if !unwatch() {
			<-done // it must not use the writer when the request is over
		}
		end(nil)
	}
}

// endTerm calls end when the time has come, and returns when stopped is closed.
// It uses net/http's own writer, which one goroutine may set deadlines on while
// another writes; the writers that Caddy puts around it are not made for that,
// and set deadlines of their own, so ours is set again and again.
func (s *stream) endTerm(end context.CancelCauseFunc, stopped <-chan struct{}) {
	rc := http.NewResponseController(innermost(s.w))
	at := time.Now().Add(rand.N(reloadFor))
	for exiting := false; ; {
		if !exiting && caddy.Exiting() {
			exiting, at = true, time.Now().Add(exitFor)
			end(errExiting)
		}
		left := time.Until(at)
		if left <= 0 {
			end(errReload)
		}
		_ = rc.SetWriteDeadline(at) // where there are none, the server's own bounds hold
		look := lookEvery
		if left > 0 {
			look = min(look, left)
		}
		select {
		case <-stopped:
			return
		case <-time.After(look):
		}
	}
}

// innermost returns the writer that all others are wrapped around.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
