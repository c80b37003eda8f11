// Package servertest runs real XMPP servers, Prosody and ejabberd, for tests.
//
// A test gets a server of its own: a child process with its own configuration,
// data folder, certificate and loopback ports. The packaged services, their
// configuration and their data are neither used nor touched. The process ends
// with the test, also when the test binary is killed.
//
//	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
//		admin := s.Admin(t)
//		err := admin.CreateNode("news", map[string]string{"pubsub#max_items": "100"})
//		…                        // connect the code under test to s.Addr()
//		err = admin.Publish("news", "1", "<entry xmlns='http://www.w3.org/2005/Atom'/>")
//		s.Kill()
//		s.Start()
//	})
//
// The servers have to be installed; a test that needs one which is not fails.
package servertest

import "testing"

// Options tell how a server is set up. The zero value is a good start.
type Options struct {
	// Users are the accounts at Domain, with their passwords. The default is
	// "gateway", "admin" and "other", each with the password NAME-secret.
	// There has to be an "admin", who administrates the server: waiting for it
	// to start means logging in as admin.
	Users map[string]string

	// SCRAM256 stores passwords hashed for SCRAM-SHA-256 instead of SCRAM-SHA-1,
	// so that it is offered instead of SCRAM-SHA-1. Both offer PLAIN.
	SCRAM256 bool

	// MaxTLS12 turns TLS 1.3 off. The servers bind SASL to TLS by tls-unique
	// only, which TLS 1.3 does not have. So only then does Prosody offer the
	// -PLUS mechanisms; ejabberd offers them always, though it should not.
	MaxTLS12 bool

	// RateLimit turns on the limits on what clients send that Debian's
	// configurations have: 10 kB/s in Prosody, 3 kB/s in ejabberd. The account
	// admin is exempt. Stanzas may be large in any case.
	RateLimit bool

	// Component is the host name of an external component (XEP-0114) that may
	// connect to ComponentAddr with the secret ComponentSecret. None by default.
	Component string
}

// ComponentSecret is the secret of the external component of Options.Component.
const ComponentSecret = "component-secret"

// withDefaults returns a copy of o which nobody else can change.
func (o Options) withDefaults() Options {
	users := map[string]string{}
	for name, password := range o.Users {
		users[name] = password
	}
	if len(users) == 0 {
		for _, name := range []string{"gateway", "admin", "other"} {
			users[name] = name + "-secret"
		}
	}
	o.Users = users
	return o
}

// Prosody starts a Prosody and waits until one can log in to it. It stops when
// the test ends.
func Prosody(t testing.TB, o Options) *Server {
	t.Helper()
	return start(t, prosody, o, freePorts)
}

// Ejabberd starts an ejabberd and waits until one can log in to it. It stops
// when the test ends.
func Ejabberd(t testing.TB, o Options) *Server {
	t.Helper()
	return start(t, ejabberd, o, freePorts)
}

// Each runs f as the subtests "prosody" and "ejabberd", each with a server of
// its own.
func Each(t *testing.T, o Options, f func(t *testing.T, s *Server)) {
	t.Run("prosody", func(t *testing.T) { f(t, Prosody(t, o)) })
	t.Run("ejabberd", func(t *testing.T) { f(t, Ejabberd(t, o)) })
}
