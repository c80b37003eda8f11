package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// maxNodeName bounds the name of a node, in bytes, as that of a resource is
// (RFC 7622 §3.4).
const maxNodeName = 1023

// nodes returns the nodes that a request names: by its path, or, where that ends
// with the prefix, several by its query.
func (h *Handler) nodes(r *http.Request, name string) (ids []xmppclient.Node, several bool, err error) {
	names := []string{name}
	if query := r.URL.Query()["node"]; name == "" && len(query) > 0 {
		several = true
		slices.Sort(query)
		names = slices.Compact(query)
	}
	if len(names) > h.Limits.NodesPerStream {
		return nil, several, &httpError{status: http.StatusBadRequest, err: fmt.Errorf("%d nodes; a stream may have %d", len(names), h.Limits.NodesPerStream)}
	}
	for _, name := range names {
		id, err := h.node(r, name)
		if err != nil {
			return nil, several, err
		}
		ids = append(ids, id)
	}
	return ids, several, nil
}

// node returns the node of the name, if it may be shown.
func (h *Handler) node(r *http.Request, name string) (xmppclient.Node, error) {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	id := xmppclient.Node{Name: name}
	if err := checkNodeName(name); err != nil {
		id.Name = strings.ToValidUTF8(name, "\uFFFD")
		return id, &httpError{status: http.StatusBadRequest, node: id, err: err}
	}
	var err error
	if id.Service, err = h.serviceFor(repl); err != nil {
		return id, &httpError{status: http.StatusBadRequest, node: id, err: err}
	}
	if !h.mayShow(name, repl) {
		return id, &httpError{status: http.StatusForbidden, node: id, err: errNotAllowed}
	}
	return id, nil
}

var errNotAllowed = errors.New("the node is not one of those that are served here")

func checkNodeName(name string) error {
	switch {
	case name == "":
		return errors.New("the request names no node")
	case len(name) > maxNodeName:
		return fmt.Errorf("the node's name has more than %d bytes", maxNodeName)
	case !utf8.ValidString(name):
		return errors.New("the node's name is not UTF-8")
	case strings.ContainsFunc(name, notInName):
		return errors.New("the node's name has characters that XMPP cannot carry")
	}
	return nil
}

// notInName reports whether XMPP cannot carry c in a node's name unharmed.
func notInName(c rune) bool {
	return unicode.IsControl(c) || c == 0xFFFE || c == 0xFFFF
}

// serviceFor returns the JID of the service, with the placeholders expanded.
func (h *Handler) serviceFor(repl *caddy.Replacer) (string, error) {
	if !isTemplate(h.service) {
		return h.service, nil
	}
	expanded, err := repl.ReplaceOrErr(h.service, true, true)
	if err != nil {
		return "", fmt.Errorf("service: %w", err)
	}
	jid, err := xmppclient.ParseJID(expanded)
	if err != nil {
		return "", fmt.Errorf("service: %w", err)
	}
	return jid.String(), nil
}

// lastEventID returns where the client says that it was. Where both come, the
// header is the newer: some clients put the query of their first request into
// each that follows.
func lastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	query := r.URL.Query()
	for _, name := range []string{"lastEventId", "last_event_id", "evs_last_event_id"} {
		if id := query.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// isLongPoll reports whether the client can read a response only when it has
// ended: the polyfills that say so by X-Requested-With, and whoever asks for
// it.
func isLongPoll(r *http.Request) bool {
	return r.Header.Get("X-Requested-With") == "XMLHttpRequest" || r.URL.Query().Get("transport") == "longpoll"
}
