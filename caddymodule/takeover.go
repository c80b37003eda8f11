package caddymodule

import (
	"context"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// takeOver hands the connection to the loop of the stream, if that can have it,
// and reports whether it did. By then the head has been written by net/http,
// with everything that other handlers did to it.
func (s *response) takeOver() bool {
	if !s.takeable {
		return false
	}
	s.takeable = false
	// The writers around net/http's would hold on to the request.
	c, _, err := http.NewResponseController(innermost(s.w)).Hijack()
	if err != nil {
		s.handler.log.Debug("taking over a connection", zap.Error(err))
		return false
	}
	s.setWriter(nil)
	s.member.Take(c)
	return true
}

// canBeTaken reports whether what is written to the response goes to the
// connection as it is, in chunks, and the connection is of a kind that the
// engine can write to.
func (s *response) canBeTaken() bool {
	c, ok := s.r.Context().Value(connKey{}).(net.Conn)
	return ok && s.r.ProtoMajor == 1 && s.r.ProtoAtLeast(1, 1) &&
		s.w.Header().Get("Content-Encoding") == "" && s.member.CanTake(c)
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

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// rememberConns makes the connections of the server that is being provisioned
// known to its handlers.
func (a *app) rememberConns(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || a.servers[server] {
		return
	}
	a.servers[server] = true
	server.RegisterConnContext(func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	})
}
