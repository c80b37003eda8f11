// Package xmpptest is a small XMPP server with one publish-subscribe service,
// for tests and demonstrations. It speaks to real clients over TCP and TLS,
// and can be told to misbehave.
//
// It implements the client-to-server half of RFC 6120 (STARTTLS or direct TLS,
// SASL PLAIN and SCRAM, resource binding), XEP-0198 stream management, XEP-0199
// ping, and of XEP-0060 and XEP-0030 what a subscriber and a publisher need. Where the specifications
// leave a choice it answers as Prosody does. There are no rosters, no presence
// routing, no server-to-server links and no storage.
package xmpptest

// Config says what a server is and how it misbehaves. The zero value is a
// healthy server on which nobody has an account.
type Config struct {
	Domain  string            // Default: "localhost".
	Service string            // Address of the publish-subscribe service. Default: "pubsub." + Domain.
	Users   map[string]string // Passwords by localpart.
	Addr    string            // Listening address. Default: "127.0.0.1:0".

	DirectTLS bool   // TLS from the first byte on, in place of STARTTLS.
	NoTLS     bool   // Neither kind of TLS: passwords would travel in the clear.
	MaxTLS    uint16 // Highest TLS version, such as tls.VersionTLS12. Default: the newest.
	CertName  string // The only name in the certificate. Default: Domain, Service, localhost and 127.0.0.1.

	// The SASL mechanisms offered, in this order. The two -PLUS mechanisms are
	// supported, but only offered when listed.
	// Default: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN.
	Mechanisms []string

	// The types of channel binding that the server says it knows (XEP-0440),
	// such as tls-exporter. Default: it says nothing.
	ChannelBindings []string

	// Where to fall silent: the client's step is read, and nothing is ever
	// answered. The connection stays open. Default: Never.
	SilentAt Stage

	// Default: the server knows nothing of it.
	StreamManagement StreamManagement

	// OnIQ is called with each request a bound session makes, before the
	// server answers it. If it returns true the server leaves the request
	// alone. It runs on the goroutine that reads the session, so the session
	// reads nothing while it blocks, and Server.Close waits for it.
	OnIQ func(s *Session, iq IQ) bool
}

// Stage is a step of a client on its way to a bound session.
type Stage int

// The stages, in the order in which a client reaches them.
const (
	Never          Stage = iota
	AtAccept             // It has opened the TCP connection.
	AtStreamHeader       // It has sent its first stream header.
	AtStartTLS           // It has asked for STARTTLS.
	AtTLSHandshake       // It may begin the TLS handshake.
	AtSASL               // It has sent its first SASL message.
	AtResume             // It has asked to resume a session.
	AtBind               // It has asked for a resource.
)

// withDefaults returns a copy of cfg in which the defaults are filled in.
func (cfg Config) withDefaults() Config {
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	if cfg.Service == "" {
		cfg.Service = "pubsub." + cfg.Domain
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Mechanisms == nil {
		cfg.Mechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}
	}
	cfg.StreamManagement = cfg.StreamManagement.withDefaults()
	return cfg
}
