package caddymodule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

func (h *Handler) setDefaults() {
	setDefault(&h.Prefix, defaultPrefix)
	setDefault(&h.Heartbeat, caddy.Duration(defaultHeartbeat))
	setDefault(&h.Retry, caddy.Duration(defaultRetry))
	setDefault(&h.Linger, caddy.Duration(defaultLinger))
	if h.Limits == nil {
		h.Limits = new(Limits)
	}
	setDefault(&h.Limits.Nodes, defaultNodes)
	setDefault(&h.Limits.NodesPerStream, defaultPerStream)
	setDefault(&h.Limits.Event, defaultEvent)
	if h.History == nil {
		h.History = new(History)
	}
	setDefault(&h.History.Events, defaultEvents)
	setDefault(&h.History.Bytes, defaultBytes)
	setDefault(&h.Replay, "none")
	if len(h.CORS) == 0 {
		h.CORS = []string{"*"}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// provisionOptions checks and prepares the options that do not concern the
// account.
func (h *Handler) provisionOptions() (err error) {
	switch {
	case checkPrefix(h.Prefix) != nil:
		return checkPrefix(h.Prefix)
	case h.Heartbeat < minHeartbeat, h.Retry < 0, h.Linger < 0:
		return fmt.Errorf("heartbeat must be %v at least, and retry and linger cannot be negative", time.Duration(minHeartbeat))
	case h.Limits.Nodes < 0, h.Limits.Event < 0, h.Limits.NodesPerStream < 0, h.History.Events < 0, h.History.Bytes < 0:
		return errors.New("limits and history cannot be negative")
	case h.Limits.NodesPerStream > maxPerStream:
		return fmt.Errorf("limits: nodes_per_stream is %d; event IDs have a place for each, so %d is the most", h.Limits.NodesPerStream, maxPerStream)
	}
	if h.replay, err = parseReplay(h.Replay); err != nil {
		return err
	}
	h.prefix = strings.TrimSuffix(h.Prefix, "/") + "/"
	if h.service = h.Service; h.service != "" && !isTemplate(h.service) {
		jid, err := xmppclient.ParseJID(h.service)
		if err != nil {
			return fmt.Errorf("service: %w", err)
		}
		h.service = jid.String()
	}
	for _, p := range h.Nodes {
		parsed, err := parsePattern(p)
		if err != nil {
			return err
		}
		h.allowed = append(h.allowed, parsed)
	}
	h.origins, err = parseCORS(h.CORS)
	return err
}

// parseReplay returns how many items a value of Replay stands for, which is -1
// for all.
func parseReplay(s string) (int, error) {
	switch s {
	case "none":
		return 0, nil
	case "last":
		return 1, nil
	case "all":
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("replay: %q is none of none, last, all, and a number", s)
	}
	return n, nil
}

func checkPrefix(prefix string) error {
	if !strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("prefix: %q does not start with a slash", prefix)
	}
	return nil
}
