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
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.fail(w, r, h.serve(w, r, name))
	case http.MethodOptions:
		h.origins.preflight(w, r)
		return nil
	}
	w.Header().Set("Allow", allowedMethods)
	return h.fail(w, r, &httpError{status: http.StatusMethodNotAllowed, err: fmt.Errorf("%s is not supported; use GET", r.Method)})
}

const allowedMethods = "GET, HEAD, OPTIONS"

// serve answers a GET or HEAD request for nodes. An error means that nothing has
// been written yet.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) error {
	ids, several, err := h.nodes(r, name)
	if err != nil {
		return err
	}
	if !h.hold.take() {
		panic(http.ErrAbortHandler) // this config is gone: come back to the next
	}
	res, err := h.open(w, r, ids, several)
	if err != nil {
		h.release()
		return err
	}
	defer res.close()
	if isLongPoll(r) && r.Method != http.MethodHead {
		return res.longPoll()
	}
	return res.serve()
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Handler)(nil)
