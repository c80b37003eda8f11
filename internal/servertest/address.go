package servertest

import (
	"crypto/x509"
	"path/filepath"
)

// Name returns "prosody" or "ejabberd".
func (s *Server) Name() string { return s.kind.name }

// Domain returns the domain of the accounts, "localhost".
func (s *Server) Domain() string { return domain }

// Service returns the address of the pubsub service, "pubsub.localhost".
func (s *Server) Service() string { return service }

// Password returns the password of the account of the given name.
func (s *Server) Password(user string) string { return s.opts.Users[user] }

// Addr returns host and port for clients. They have to use STARTTLS.
func (s *Server) Addr() string { return loopback(s.ports.C2S) }

// AddrTLS returns host and port for clients that use TLS from the start.
func (s *Server) AddrTLS() string { return loopback(s.ports.TLS) }

// HTTPAddr returns host and port of the HTTP server, without TLS. Prosody has
// BOSH at /http-bind and WebSocket at /xmpp-websocket, ejabberd at /bosh and /ws.
func (s *Server) HTTPAddr() string { return loopback(s.ports.HTTP) }

// ComponentAddr returns host and port for the component of Options.Component.
func (s *Server) ComponentAddr() string { return loopback(s.ports.Component) }

// CAFile returns the name of a PEM file with the authority that signed the
// server's certificate, which is for "localhost", "pubsub.localhost" and 127.0.0.1.
func (s *Server) CAFile() string { return filepath.Join(s.dir, caFile) }

// CAPool returns the authority that signed the server's certificate.
func (s *Server) CAPool() *x509.CertPool { return s.caPool.Clone() }
