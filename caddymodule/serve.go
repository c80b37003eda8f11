package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ServeHTTP serves a node as an event stream, or calls next if the request is
// not for us.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	name, ours := strings.CutPrefix(r.URL.Path, h.prefix)
	if !ours {
		return next.ServeHTTP(w, r)
	}
	h.origins.setHeaders(w.Header(), r)
	if r.Method == http.MethodOptions {
		h.origins.preflight(w, r)
		return nil
	}
	res, err := h.open(w, r, name)
	if err == nil {
		defer res.close()
		err = res.serve()
	}
	return h.fail(w, r, err)
}

const allowedMethods = "GET, HEAD, OPTIONS"

// open begins to answer a request that names nodes after the prefix. The response
// must be closed. An error means that nothing has been written, here and where
// else a request is served.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, name string) (*response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", allowedMethods)
		return nil, &httpError{status: http.StatusMethodNotAllowed, err: fmt.Errorf("%s is not supported; use GET", r.Method)}
	}
	ids, several, err := h.nodes(r, name)
	if err != nil {
		return nil, err
	}
	if !h.hold.take() {
		panic(http.ErrAbortHandler) // this config is gone: come back to the next
	}
	res, err := h.respond(w, r, ids, several)
	if err != nil {
		h.release()
	}
	return res, err
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Handler)(nil)
