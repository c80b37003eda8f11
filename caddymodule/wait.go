package caddymodule

import (
	"context"
	"reflect"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// waitAtMost bounds how long wait may wait in all. The function it returns
// frees what that takes.
func (s *stream) waitAtMost(d time.Duration) (free func()) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.patience = ctx.Done()
	return cancel
}

// wait waits for one of the channels, and keeps the client from giving up. An
// error is why the stream has to end.
func (s *stream) wait(news []<-chan struct{}) error {
	var beat <-chan time.Time
	if s.beat != nil {
		beat = s.beat.C
	}
	if len(news) > 2 {
		any, stop := firstOf(news)
		defer stop()
		news = []<-chan struct{}{any}
	}
	a, b := news[0], news[len(news)-1]
	select {
	case <-a:
	case <-b:
	case <-beat:
		return s.write(eventstream.Frame(eventstream.Heartbeat))
	case <-s.patience:
		return errHeld
	case <-s.r.Context().Done():
		return s.r.Context().Err()
	case <-s.over.Done():
		return context.Cause(s.over)
	}
	return nil
}

// firstOf returns a channel that is closed when one of the others is, until stop
// is called, which has to be.
func firstOf(channels []<-chan struct{}) (first <-chan struct{}, stop func()) {
	closed, stopped, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf((<-chan struct{})(stopped))}}
	for _, c := range channels {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
	}
	go func() {
		defer close(done)
		if i, _, _ := reflect.Select(cases); i > 0 {
			close(closed)
		}
	}()
	return closed, func() {
		close(stopped)
		<-done
	}
}
