package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
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
	account, release, err := h.holdAccount()
	if err != nil {
		panic(http.ErrAbortHandler) // this config is gone: come back to the next
	}
	defer release()
	s := &stream{
		handler: h, w: w, r: r, rc: http.NewResponseController(w),
		openOnly: len(h.allowed) == 0, several: several, lastEventID: lastEventID(r),
	}
	defer s.leaveAll(account)
	for _, id := range ids {
		n, err := account.join(id, h.Limits.Nodes)
		if err != nil {
			return err
		}
		s.feeds = append(s.feeds, newFeed(n))
	}
	s.refused = s.feeds[0].node
	defer s.watchTerm()()
	if isLongPoll(r) && r.Method != http.MethodHead {
		return s.longPoll()
	}
	return s.serve()
}

func (s *stream) leaveAll(a *account) {
	for _, f := range s.feeds {
		a.leave(f.node, time.Duration(s.handler.Linger))
	}
}

// holdAccount keeps the account from ending until release is called. It fails
// if it has ended, since the config that this handler is of is gone.
func (h *Handler) holdAccount() (_ *account, release func(), err error) {
	value, _, err := accounts.LoadOrNew(h.key, func() (caddy.Destructor, error) { return nil, errConfigGone })
	if err != nil {
		return nil, nil, err
	}
	return value.(*account), func() {
		if _, err := accounts.Delete(h.key); err != nil {
			h.log.Error("ending the XMPP session", zap.Error(err))
		}
	}, nil
}

var errConfigGone = errors.New("the config is gone")

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Handler)(nil)
