package caddymodule

import (
	"context"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/delivery"
)

// exitFor is how long the streams may take to end when the process exits.
const exitFor = 2 * time.Second

// engines has the engine of all streams, as long as there are accounts.
var engines = caddy.NewUsagePool()

// logouts are the accounts that are ended because a stream has that was taken
// over.
var logouts sync.WaitGroup

func init() {
	// Streams that were taken over are not among those that Caddy waits for,
	// and the last config may not be theirs.
	caddy.OnExit(func(context.Context) {
		endStreams()
		logouts.Wait()
	})
}

// endStreams ends all streams at once that have to end. It waits for those that
// were taken over.
func endStreams() {
	engines.Range(func(_, value any) bool {
		value.(engine).Review(exitFor)
		return true
	})
}

// An engine ends when the last account has.
type engine struct{ *delivery.Engine }

// Destruct waits until all that the engine runs has ended.
func (e engine) Destruct() error {
	e.Close()
	return nil
}

// loadEngine takes a hold on the engine, which is made if there is none.
func loadEngine() (*delivery.Engine, error) {
	value, _, err := engines.LoadOrNew("", func() (caddy.Destructor, error) { return engine{delivery.New()}, nil })
	if err != nil {
		return nil, err
	}
	return value.(engine).Engine, nil
}
