package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// An httpError is why a request is refused, before anything was written.
type httpError struct {
	status     int
	node       xmppclient.Node
	err        error
	retryAfter time.Duration
}

func (e *httpError) Error() string {
	if e.node.Name == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("node %q: %v", e.node.Name, e.err)
}

func (e *httpError) Unwrap() error { return e.err }

// toHTTP returns err, which concerns the node, as what the client is told.
func toHTTP(node xmppclient.Node, err error) *httpError {
	var he *httpError
	if errors.As(err, &he) {
		return he
	}
	e := &httpError{status: statusOf(err), node: node, err: err}
	if errors.Is(err, xmppclient.ErrRejected) {
		e.err = errAccount // the rest is for the log
	}
	if e.status == http.StatusServiceUnavailable {
		e.retryAfter = retryAfter
	}
	return e
}

var errAccount = errors.New("the XMPP server rejects the account of this site")

// retryAfter is when to try again what was too much.
const retryAfter = 10 * time.Second

// statusOf returns the status that tells a client what err is about.
func statusOf(err error) int {
	var e *xmppclient.Error
	switch {
	case errors.Is(err, errNotOpen), errors.Is(err, errTakenAway):
		return http.StatusForbidden
	case errors.Is(err, errDeleted):
		return http.StatusNotFound
	case errors.Is(err, xmppclient.ErrRejected):
		return http.StatusBadGateway
	case errors.Is(err, xmppclient.ErrTimeout):
		return http.StatusGatewayTimeout
	case errors.As(err, &e):
		return statusOfCondition(e)
	}
	return http.StatusBadGateway
}

// statusOfCondition returns the status for what a service answered (RFC 6120
// §8.3.3). Services word the same refusal in different ways.
func statusOfCondition(e *xmppclient.Error) int {
	switch e.Condition {
	case "item-not-found", "remote-server-not-found", "service-unavailable", "gone":
		return http.StatusNotFound
	case "forbidden", "not-allowed", "not-authorized", "registration-required", "subscription-required":
		return http.StatusForbidden
	case "remote-server-timeout":
		return http.StatusGatewayTimeout
	case "resource-constraint", "policy-violation":
		return http.StatusServiceUnavailable
	case "bad-request", "jid-malformed", "not-acceptable":
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// fail answers a request with err, if it is one: by the site's error routes if
// it has any, else with a body that says what happened (RFC 9457).
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		return nil
	}
	e := toHTTP(xmppclient.Node{}, err)
	header := w.Header()
	if e.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(e.retryAfter.Seconds())))
	}
	if hasErrorRoutes(r, e.status) {
		return caddyhttp.Error(e.status, e)
	}
	body, err := json.Marshal(e.problem())
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, err = w.Write(body)
	}
	return err
}

// hasErrorRoutes reports whether the site has any for the status. Those of all
// sites at a port are in one list.
func hasErrorRoutes(r *http.Request, status int) bool {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Errors == nil {
		return false
	}
	// Caddy sets it, too, but only when it has the error.
	r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Set("http.error.status_code", status)
	for _, route := range server.Errors.Routes {
		// A matcher that fails is for the error routes to report.
		if matches, err := route.MatcherSets.AnyMatchWithError(r); matches || err != nil {
			return true
		}
	}
	return false
}

// A problem is the body of an error (RFC 9457 §3). Its type is about:blank.
type problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Node      string `json:"node,omitempty"`
	Condition string `json:"condition,omitempty"` // of XMPP
}

func (e *httpError) problem() problem {
	p := problem{
		Title:  http.StatusText(e.status),
		Status: e.status,
		Detail: e.err.Error(),
		Node:   e.node.Name,
	}
	var xe *xmppclient.Error
	if errors.As(e.err, &xe) {
		if p.Condition = xe.Condition; xe.Detail != "" {
			p.Condition = xe.Detail
		}
	}
	return p
}
