package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// errTakeover is why a response cannot go on after its connection was to be
// taken over.
var errTakeover = errors.New("the connection is in an unknown state")

// takeOver hands the connection to the loop of the stream, if that can have it,
// and reports whether it did. By then the head has been written by net/http,
// with everything that other handlers did to it.
func (s *response) takeOver() (taken bool, err error) {
	if s.tried {
		return false, nil
	}
	s.tried = true
	if !s.canBeTaken() {
		return false, nil
	}
	conn := s.conn()
	// The writers around net/http's would hold on to the request.
	hijacked, _, err := http.NewResponseController(innermost(s.w)).Hijack()
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return false, nil
	case err != nil, hijacked != conn:
		conn.Close() // nobody else may
		return false, errors.Join(errTakeover, err)
	}
	s.setWriter(nil)
	s.member.Take(conn)
	return true, nil
}

// canBeTaken reports whether what is written to the response goes to the
// connection as it is, in chunks, and the connection is of a kind that the
// engine can write to.
func (s *response) canBeTaken() bool {
	return s.r.ProtoMajor == 1 && s.r.ProtoAtLeast(1, 1) && s.w.Header().Get("Content-Encoding") == "" &&
		passesOn(s.w) && s.conn() != nil && s.member.CanTake(s.conn())
}

// conn returns the connection of the request, if it is known.
func (s *response) conn() net.Conn {
	c, _ := s.r.Context().Value(connKey{}).(net.Conn)
	return c
}

// passesOn reports whether a writer is net/http's, or is known to pass on what is
// written as it is: those that Caddy wraps around it, unless one keeps the
// response to look at it first. What others do nobody knows.
func passesOn(w http.ResponseWriter) bool {
	for {
		if r, ok := w.(caddyhttp.ResponseRecorder); ok && r.Buffered() {
			return false
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		pkg := pkgPath(w)
		switch {
		case !ok:
			return pkg == "net/http"
		case !strings.HasPrefix(pkg, "github.com/caddyserver/caddy/v2/"):
			return false
		}
		w = wrapper.Unwrap()
	}
}

// pkgPath returns the package of the type that v is, or points to.
func pkgPath(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
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
