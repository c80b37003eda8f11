package xmpptest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
)

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	cfg      Config // static after Start, but for what is copied below
	ca       *x509.Certificate
	tls      *tls.Config
	salt     []byte // of every SCRAM password
	listener *net.TCPListener
	pubsub   *service
	running  sync.WaitGroup // the accepting goroutine and one for each connection

	// Held by service when it delivers: never call service with it held.
	mu       sync.Mutex // guards the following fields
	closed   bool
	refusing bool
	silentAt Stage
	resetAt  Stage
	cutAfter int // as in Session.CutAfter, or -1
	users    map[string]string
	conns    map[*conn]struct{}
	bound    map[string]*Session // by full JID, also those which hibernate
	fresh    []*Session          // bound or resumed, and not yet handed out by WaitSession
	news     chan struct{}       // closed and replaced whenever fresh grows
	accepted int
	logins   int
	binds    int
	resumes  int

	management StreamManagement
}

// Start makes a certificate and starts a server, which runs until Close.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	ca, cert, err := newCertificate(cfg)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, err
	}
	srv := &Server{
		cfg:      cfg,
		ca:       ca,
		tls:      &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: cfg.MaxTLS},
		salt:     []byte(rand.Text()),
		listener: l.(*net.TCPListener),
		silentAt: cfg.SilentAt,
		cutAfter: -1,
		users:    maps.Clone(cfg.Users),
		conns:    map[*conn]struct{}{},
		bound:    map[string]*Session{},
		news:     make(chan struct{}),

		management: cfg.StreamManagement,
	}
	if srv.users == nil {
		srv.users = map[string]string{}
	}
	if cfg.DirectTLS {
		srv.tls.NextProtos = []string{"xmpp-client"}
	}
	if cfg.MaxTLS != 0 && cfg.MaxTLS < tls.VersionTLS12 {
		srv.tls.MinVersion = cfg.MaxTLS
	}
	srv.pubsub = newService(srv)
	srv.running.Go(srv.accept)
	return srv, nil
}

// Addr returns the host:port the server listens on.
func (srv *Server) Addr() string { return srv.listener.Addr().String() }

// Domain returns the host part of the accounts' JIDs.
func (srv *Server) Domain() string { return srv.cfg.Domain }

// Service returns the JID of the publish-subscribe service.
func (srv *Server) Service() string { return srv.cfg.Service }

// CA returns the authority that signed the server's certificate.
func (srv *Server) CA() *x509.Certificate { return srv.ca }

// CertPEM returns the authority in PEM, as it would be in a file.
func (srv *Server) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.ca.Raw})
}

// Close cuts all connections, without a word as if the process was killed, and
// waits until everything the server started has ended.
func (srv *Server) Close() {
	// Only fails if it was closed before.
	_ = srv.listener.Close()
	srv.mu.Lock()
	srv.closed = true
	conns := slices.Collect(maps.Keys(srv.conns))
	srv.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	srv.running.Wait()
}

// SetSilentAt changes Config.SilentAt for connections to come.
func (srv *Server) SetSilentAt(stage Stage) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.silentAt = stage
}

// SetResetAt drops connections to come with a TCP RST when the client's step is
// read, which is not done. Never ends it.
func (srv *Server) SetResetAt(stage Stage) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.resetAt = stage
}

// SetCutAfter does what Session.CutAfter does to sessions to come. Of the n
// bytes the first are the answer to binding or resuming, which have been done.
// A negative n ends it.
func (srv *Server) SetCutAfter(n int) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.cutAfter = n
}

// SetRefusing says whether connections to come are reset at once, as they are
// while a server is down. Those which exist are left alone.
func (srv *Server) SetRefusing(refusing bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.refusing = refusing
}

// SetPassword changes a password or makes an account.
func (srv *Server) SetPassword(user, password string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.users[user] = password
}

// Accepted returns how many TCP connections came so far, also those refused.
func (srv *Server) Accepted() int { return srv.count(&srv.accepted) }

// Logins returns how many logins were attempted so far, right or wrong.
func (srv *Server) Logins() int { return srv.count(&srv.logins) }

// Binds returns how many sessions were bound so far.
func (srv *Server) Binds() int { return srv.count(&srv.binds) }

func (srv *Server) count(n *int) int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return *n
}

// Sessions returns the sessions that are bound now and have a connection, by
// JID.
func (srv *Server) Sessions() []*Session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	list := slices.SortedFunc(maps.Values(srv.bound), func(a, b *Session) int {
		return strings.Compare(a.jid, b.jid)
	})
	return slices.DeleteFunc(list, func(s *Session) bool { return !s.hibernatesSince().IsZero() })
}

// WaitSession waits for a session to be bound or resumed. Each is handed out
// once, the oldest first, even if it has ended since.
func (srv *Server) WaitSession(ctx context.Context) (*Session, error) {
	for {
		srv.mu.Lock()
		if len(srv.fresh) > 0 {
			s := srv.fresh[0]
			srv.fresh = srv.fresh[1:]
			srv.mu.Unlock()
			return s, nil
		}
		news := srv.news
		srv.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
