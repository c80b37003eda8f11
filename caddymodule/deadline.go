package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ownDeadlines keeps Caddy from setting a deadline before each write and each
// flush of the response. That costs more than the write, in HTTP/2 above all,
// where each is a message to the goroutine of the connection. The engine
// interrupts writes that wait for too long.
func ownDeadlines(r *http.Request) {
	if _, w := caddyhttp.IdleTimeoutsFromContext(r.Context()); w != nil {
		w.Ctrl = http.NewResponseController(noDeadlines{})
	}
}

// noDeadlines is a writer whose deadlines can be set, to no effect.
type noDeadlines struct{ http.ResponseWriter }

func (noDeadlines) SetWriteDeadline(time.Time) error { return nil }
