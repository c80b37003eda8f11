// Package caddymodule is a Caddy HTTP handler that serves the nodes of an XMPP
// publish-subscribe service (XEP-0060) to browsers as event streams
// (Server-Sent Events).
package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Defaults of the options.
const (
	defaultPrefix    = "/eventsource/"
	defaultHeartbeat = 15 * time.Second
	minHeartbeat     = caddy.Duration(10 * time.Millisecond)
	defaultRetry     = 3 * time.Second
	defaultLinger    = time.Minute
	defaultNodes     = 10_000
	defaultPerStream = 32
	maxPerStream     = 100
	defaultEvent     = 1 << 20
	defaultEvents    = 1024
	defaultBytes     = 8 << 20
)

// Handler serves publish-subscribe nodes of an XMPP service as event streams.
//
// It logs in to an XMPP server with an ordinary account, subscribes to a node
// when the first browser asks for it, and sends each event of the node to all
// who watch it:
//
//	new EventSource('https://example.org/eventsource/mynode')
//
// The node is what follows the prefix in the path of the request, percent-
// decoded once. Requests outside the prefix go to the next handler. Handlers
// with the same account, server and TLS settings share one XMPP session.
//
// A prefix with nothing after it is a stream of the nodes that the query names:
// ?node=a&node=b.
//
// A stream that comes back with the last event ID it was sent, to this process
// or any other with the node, gets what it missed, as far as the service
// retains it, and an event that says so if there may have been more.
//
// While the XMPP server cannot be reached, streams are held open and begin to
// flow when it can. A node that may not be shown is answered with 403, one that
// does not exist with 404; `handle_errors` applies to both.
type Handler struct {
	// The JID of the account to log in as, such as gateway@example.org.
	// Required. Placeholders are expanded when the config is loaded.
	JID string `json:"jid,omitempty"`

	// The password of the account. Required. Keep it out of the config with a
	// placeholder, which is expanded when the config is loaded:
	// {env.XMPP_PASSWORD} or {file./run/secrets/xmpp}.
	Password string `json:"password,omitempty"`

	// Where the XMPP server is: [xmpp://|xmpps://]host[:port]. xmpps:// is TLS
	// from the first byte, with default port 5223; all else is STARTTLS, with
	// default port 5222. Default: what the SRV records of the JID's domain
	// say, then the domain itself. Placeholders are expanded when the config
	// is loaded.
	Server string `json:"server,omitempty"`

	// How to trust the XMPP server. TLS is always used. Default: the
	// certificate must be valid for the JID's domain and signed by an
	// authority that the system trusts.
	TLS *TLS `json:"tls,omitempty"`

	// The JID of the service that has the nodes, such as pubsub.example.org,
	// or an account's for its personal nodes. Placeholders are expanded at
	// each request. Default: pubsub. and the domain of the account.
	Service string `json:"service,omitempty"`

	// The beginning of the paths that are ours. What follows is the node's
	// name. Inside handle_path, set it to /. Default: /eventsource/
	Prefix string `json:"prefix,omitempty"`

	// Which nodes may be shown: those whose whole name matches one of these
	// patterns, whatever their access model says. An asterisk stands for any
	// characters, slashes included. Placeholders are expanded at each
	// request; what they stand for is taken as it is, and a pattern whose
	// placeholder is unknown, empty, or has a slash in it matches nothing.
	// Default: the nodes whose access model is open.
	Nodes []string `json:"nodes,omitempty"`

	// What a stream that comes without a last event ID starts with: none, last
	// (the newest item that the service retains), all (that it retains), or a
	// number, for so many of the newest. Default: none
	Replay string `json:"replay,omitempty"`

	// How much of a node is kept in memory, for streams that come back.
	History *History `json:"history,omitempty"`

	// How long a stream may be silent until a comment is sent, which keeps
	// proxies and clients from giving it up; 10ms at least. Default: 15s
	Heartbeat caddy.Duration `json:"heartbeat,omitempty"`

	// The reconnection time that clients are told: how long they wait before
	// they come back after their stream ended. Default: 3s
	Retry caddy.Duration `json:"retry,omitempty"`

	// How long to stay subscribed to a node after the last stream left, so
	// that who comes back soon has missed nothing. Default: 1m
	Linger caddy.Duration `json:"linger,omitempty"`

	// The origins whose pages may read the streams (CORS). An asterisk alone
	// is every page, without credentials. Otherwise these origins, such as
	// https://app.example.org, may read with credentials; https://*.example.org
	// stands for one or more labels. "off" alone leaves all CORS headers to
	// the rest of the config. Headers that are already set are left alone.
	// Default: *
	CORS []string `json:"cors,omitempty"`

	// Bounds of what is taken on.
	Limits *Limits `json:"limits,omitempty"`

	log     *zap.Logger
	app     *app
	key     accountKey // of the account
	account *account   // nil until Provision has taken it
	hold    hold
	service string // to be expanded for each request, if it is a template
	prefix  string
	allowed []pattern
	origins cors
	replay  int // how many items; all if it is negative
}

// TLS says how to trust the XMPP server. Placeholders in it are expanded when
// the config is loaded.
type TLS struct {
	// A file with the certificates, in PEM, of the authorities to trust in
	// place of the system's.
	CA string `json:"ca,omitempty"`

	// The name that the server's certificate must be valid for. Default: the
	// domain of the account.
	ServerName string `json:"server_name,omitempty"`

	// Trusts any certificate, which is safe only where nobody else can be on
	// the line. Default: false
	InsecureSkipVerify bool `json:"insecure_skip_verify,omitempty"`
}

// History bounds how much of a node is kept in memory: its newest events, and
// apart from these the items that the service retains, which are also fetched
// from it up to these bounds. A stream that comes back gets what it missed as
// long as it is kept. Handlers that share an account share the largest of
// their bounds.
type History struct {
	// How many events. Default: 1024
	Events int `json:"events,omitempty"`

	// How many bytes of events. The newest event is kept whatever its size.
	// Default: 8388608 (8 MiB)
	Bytes int64 `json:"bytes,omitempty"`
}

// Limits are bounds of what a handler takes on.
type Limits struct {
	// How many nodes to be subscribed to at a time, for the account. A stream
	// of one more is answered with 503. Default: 10000
	Nodes int `json:"nodes,omitempty"`

	// How many nodes one stream may have, up to 100: event IDs have a place for
	// each, and headers are bounded. More are answered with 400. Default: 32
	NodesPerStream int `json:"nodes_per_stream,omitempty"`

	// The largest payload of an event that is accepted, in bytes. Of a larger
	// one, streams learn only that they missed it. Handlers that share an
	// account share the largest of their limits. Default: 1048576 (1 MiB)
	Event int64 `json:"event,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.pubsub_eventsource",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision fills in defaults and takes hold of the account. It connects to
// nothing: the account logs in when the config starts to run.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.log = ctx.Logger()
	h.setDefaults()
	if err := h.provisionOptions(); err != nil {
		return err
	}
	loaded, err := ctx.App(appName)
	if err != nil {
		return err
	}
	h.app = loaded.(*app)
	h.app.rememberConns(ctx)
	cfg, err := h.accountConfig()
	if err != nil {
		return err
	}
	if h.service == "" {
		h.service = "pubsub." + cfg.client.Account.Domainpart()
	}
	h.key = cfg.key
	if h.account, err = loadAccount(cfg); err != nil {
		return err
	}
	h.hold.count.Store(1)
	h.account.raiseLimits(h.Limits.Event, eventstream.Bounds{Events: h.History.Events, Bytes: h.History.Bytes})
	h.app.add(h.account)
	return nil
}

// Cleanup lets go of the account. Streams that are open have a hold on it of
// their own, and end soon.
func (h *Handler) Cleanup() error {
	if h.account != nil && h.hold.drop() {
		_, err := accounts.Delete(h.key)
		return err
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner  = (*Handler)(nil)
	_ caddy.CleanerUpper = (*Handler)(nil)
)
