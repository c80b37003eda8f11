package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("pubsub_eventsource", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("pubsub_eventsource", httpcaddyfile.Before, "respond")
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	pubsub_eventsource [<matcher>] {
//		jid       <account JID>
//		password  <password>
//		server    [xmpp://|xmpps://]<host>[:<port>]
//		tls {
//			ca                   <pem file>
//			server_name          <name>
//			insecure_skip_verify
//		}
//		service   <JID>
//		prefix    <path>
//		nodes     <pattern>...
//		replay    none|last|all|<n>
//		history   <events> [<bytes>]
//		heartbeat <duration>
//		retry     <duration>
//		linger    <duration>
//		cors      off|<origin>...
//		limits {
//			nodes            <n>
//			nodes_per_stream <n>
//			event            <bytes>
//		}
//	}
//
// Only jid and password are required. See the fields of [Handler] for what the
// options mean and their defaults.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	if err := eachOption(d, h.unmarshalOption); err != nil {
		return err
	}
	for _, required := range []struct{ name, value string }{{"jid", h.JID}, {"password", h.Password}} {
		if required.value == "" {
			return d.Errf("%s is required", required.name)
		}
	}
	return nil
}

// eachOption calls f at each option of the block that comes next, and refuses
// those that come twice.
func eachOption(d *caddyfile.Dispenser, f func(*caddyfile.Dispenser) error) error {
	var seen []string
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if slices.Contains(seen, name) {
			return d.Errf("%s is given twice", name)
		}
		seen = append(seen, name)
		if err := f(d); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "jid":
		return unmarshalChecked(d, &h.JID, checkAccount)
	case "password":
		return unmarshalString(d, &h.Password)
	case "server":
		return unmarshalServer(d, &h.Server)
	case "tls":
		h.TLS = new(TLS)
		return unmarshalBlock(d, h.TLS.unmarshalOption)
	case "service":
		return unmarshalJID(d, &h.Service)
	case "prefix":
		return unmarshalPrefix(d, &h.Prefix)
	case "nodes":
		return unmarshalPatterns(d, &h.Nodes)
	case "replay":
		return unmarshalReplay(d, &h.Replay)
	case "history":
		h.History = new(History)
		return h.History.unmarshalArgs(d)
	case "heartbeat":
		return unmarshalDuration(d, &h.Heartbeat)
	case "retry":
		return unmarshalDuration(d, &h.Retry)
	case "linger":
		return unmarshalDuration(d, &h.Linger)
	case "cors":
		return unmarshalCORS(d, &h.CORS)
	case "limits":
		h.Limits = new(Limits)
		return unmarshalBlock(d, h.Limits.unmarshalOption)
	}
	return d.Errf("unknown option %q", d.Val())
}

func (h *History) unmarshalArgs(d *caddyfile.Dispenser) error {
	if n := d.CountRemainingArgs(); n < 1 || n > 2 {
		return d.ArgErr()
	}
	name := d.Val()
	d.NextArg()
	if err := setNumber(d, name, &h.Events); err != nil {
		return err
	}
	if d.NextArg() {
		return setSize(d, name, maxHistory, &h.Bytes)
	}
	return nil
}

func (t *TLS) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "ca":
		return unmarshalString(d, &t.CA)
	case "server_name":
		return unmarshalString(d, &t.ServerName)
	case "insecure_skip_verify":
		t.InsecureSkipVerify = true
		return noArgs(d)
	}
	return d.Errf("unknown option %q of tls", d.Val())
}

func (l *Limits) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "nodes":
		return unmarshalNumber(d, &l.Nodes)
	case "nodes_per_stream":
		return unmarshalNumber(d, &l.NodesPerStream)
	case "event":
		return unmarshalSize(d, &l.Event)
	}
	return d.Errf("unknown option %q of limits", d.Val())
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
