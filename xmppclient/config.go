package xmppclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"mellium.im/xmpp/jid"
)

// Config says which account a [Client] logs in to, where, and who is told what
// happens. The zero value of every field but Account and Password means the
// default that the field documents.
type Config struct {
	// Account is the JID to log in as. If it has a resource, that resource is
	// asked for in place of Resource.
	Account JID

	// Password of the account. It is sent as it is only inside TLS, and only
	// to a server that offers nothing better.
	Password string

	// Server is where to connect to: [xmpp://|xmpps://]host[:port], where
	// xmpps:// is TLS from the first byte (default port 5223) and everything
	// else is STARTTLS (default port 5222). Default: what the SRV records of
	// the account's domain say (RFC 6120 §3.2, XEP-0368), then the domain
	// itself.
	Server string

	// TLS says how to trust the server; TLS itself is always used. A nil TLS
	// trusts the system's authorities, and an empty ServerName stands for the
	// domain of Account (RFC 6120 §13.7.2).
	TLS *tls.Config

	// Resource to bind (RFC 6120 §7). It should be the same after a restart,
	// so that subscriptions made before are the ones that are used after, and
	// different for every instance, since the server ends the older of two
	// sessions with one resource. Default: the server chooses.
	Resource string

	// OnEvent is called for each event of a node that is subscribed to, in the
	// order of the stream, on the goroutine that reads the stream: until it
	// returns nothing else is read. It must not block, nor wait for a request
	// of the Client. Default: events are dropped.
	OnEvent func(Event)

	// OnLink is called when the link to the server changes, with the reason
	// if it is neither [Up] nor [Resumed]. It is called on the same goroutine
	// as OnEvent, and must not block.
	// Default: nobody is told.
	OnLink func(Link, error)

	// OnItems is called with what the service retains of a node each time that
	// a subscription was made or renewed, on the same goroutine as OnEvent and
	// in the order of the stream: what OnEvent hears after it is not in the
	// items. It must not block. Default: the service is not asked.
	OnItems func(Node, Retained)

	// OnSubscription is called with the outcome of each attempt to subscribe,
	// the first as well as each renewal, unless the node was given up or asked
	// for again meanwhile. A nil error means that the subscription stands, and
	// that OnItems was called. After an error that is [Temporary], or, if the
	// subscription stood before, [Unreachable], the Client goes on trying;
	// after any other it has forgotten the node. It may make
	// requests, but as long as it has not returned fewer subscriptions are
	// made. Default: nobody is told.
	OnSubscription func(Node, error)

	// OnFault is called with what went wrong inside and was survived, such as
	// a panic in OnEvent. It must not block. Default: nobody is told.
	OnFault func(error)
}

// A JID is an XMPP address (RFC 7622).
type JID = jid.JID

// ParseJID returns the JID that s spells.
func ParseJID(s string) (JID, error) {
	j, err := jid.Parse(s)
	if err != nil {
		return JID{}, fmt.Errorf("parsing JID %q: %w", s, err)
	}
	return j, nil
}

// A Node is one publish-subscribe node: the JID of the service that has it,
// in the form that [JID.String] gives, and its name there.
type Node struct {
	Service, Name string
}

// String returns the node as it is written in logs.
func (n Node) String() string {
	return fmt.Sprintf("%q at %s", n.Name, n.Service)
}

// A Link is the state of the connection to the server.
type Link int

const (
	// Connecting: no attempt has ended yet.
	Connecting Link = iota
	// Up: logged in; requests are answered and events arrive. Of what happened
	// before, only OnItems tells.
	Up
	// Resumed is like Up, but for that the session goes on where the link was
	// lost (XEP-0198): no event is missed, and subscriptions stand as they did.
	Resumed
	// Down: the server cannot be reached; the Client goes on trying.
	Down
	// Rejected: the server refuses the account; the Client tries again rarely.
	Rejected
)

func (l Link) String() string {
	return [...]string{"connecting", "up", "resumed", "down", "rejected"}[l]
}

// withDefaults returns cfg with its zero fields filled in, or says which field
// cannot be right.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.Account.Localpart() == "" {
		return cfg, fmt.Errorf("account %q has no localpart (want user@domain)", cfg.Account)
	}
	if cfg.Password == "" {
		return cfg, errors.New("the password is empty")
	}
	if r := cfg.Account.Resourcepart(); r != "" {
		cfg.Resource = r
	}
	if _, err := cfg.Account.WithResource(cfg.Resource); err != nil {
		return cfg, fmt.Errorf("resource %q: %w", cfg.Resource, err)
	}
	if _, err := parseServer(cfg.Server); err != nil {
		return cfg, err
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{}
	}
	cfg.TLS = cfg.TLS.Clone()
	cfg.TLS.MinVersion = max(cfg.TLS.MinVersion, tls.VersionTLS12)
	if cfg.TLS.ServerName == "" {
		cfg.TLS.ServerName = asciiDomain(cfg.Account.Domainpart())
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(Event) {}
	}
	if cfg.OnLink == nil {
		cfg.OnLink = func(Link, error) {}
	}
	if cfg.OnSubscription == nil {
		cfg.OnSubscription = func(Node, error) {}
	}
	if cfg.OnFault == nil {
		cfg.OnFault = func(error) {}
	}
	return cfg, nil
}

// asciiDomain returns a domain as DNS and certificates have it (RFC 5890).
func asciiDomain(domain string) string {
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return domain // an address, or nothing that can be found
	}
	return ascii
}

// An endpoint is one place where the server may be listening.
type endpoint struct {
	addr   string // host:port
	direct bool   // TLS from the first byte
}

func (e endpoint) String() string {
	if e.direct {
		return "xmpps://" + e.addr
	}
	return "xmpp://" + e.addr
}

var (
	errNoHost = errors.New("no host")
	errNoPort = errors.New("no port after the colon")
)

// joinDefaultPort adds port to a host that comes without one.
func joinDefaultPort(host, port string) (string, error) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		if h == "" {
			return "", errNoHost
		}
		if _, err := net.LookupPort("tcp", p); err != nil {
			return "", err
		}
		if p == "" {
			return "", errNoPort
		}
		return host, nil
	}
	bare := host
	if len(bare) > 1 && bare[0] == '[' && bare[len(bare)-1] == ']' {
		bare = bare[1 : len(bare)-1]
	}
	if bare == "" {
		return "", errNoHost
	}
	if strings.ContainsAny(bare, ":[]") {
		if _, err := netip.ParseAddr(bare); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort(bare, port), nil
}
