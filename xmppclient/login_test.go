package xmppclient

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/stream"
)

const (
	plainXML = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
	bindXML  = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
)

func TestResourceIsTheSameAfterReconnecting(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		for range 3 {
			if p.bound != "gateway@example.org/web" {
				t.Errorf("bound %s", p.bound)
			}
			p.raw.reset()
			p = r.session()
		}
	})
}

func TestDirectTLS(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Server = "xmpps://" + fakeDomain
		r.fake.login = func(p *peer) bool {
			if !p.handshake() {
				return false
			}
			if protocol := p.conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; protocol != "xmpp-client" {
				t.Errorf("the protocol is %q", protocol)
			}
			return p.plain() && p.bind()
		}
		r.run()
		r.session()
	})
}

func TestRejectedAccount(t *testing.T) {
	for i, condition := range []string{"not-authorized", "account-disabled", "credentials-expired"} {
		t.Run(condition, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.failure = condition
				// Up to TLS 1.2 the last words and the goodbye of TLS come in one Read.
				r.fake.maxTLS = [...]uint16{tls.VersionTLS12, tls.VersionTLS13, 0}[i]
				r.run()
				time.Sleep(time.Hour)
				links := take(r, &r.links)
				if len(links) != 1 || links[0].state != Rejected || !errors.Is(links[0].err, ErrRejected) || !strings.Contains(links[0].err.Error(), condition) {
					t.Errorf("links: %+v", links)
				}
				if strings.Contains(links[0].err.Error(), "secret") {
					t.Errorf("the password is told: %v", links[0].err)
				}
				if n := len(r.fake.dialled()); n < 10 || n > 30 {
					t.Errorf("%d logins within an hour", n)
				}
			})
		})
	}
}

func TestTemporaryFailureIsNoRejection(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.failure = "temporary-auth-failure"
		r.run()
		time.Sleep(time.Hour)
		if links := take(r, &r.links); len(links) != 1 || links[0].state != Down {
			t.Errorf("links: %+v", links)
		}
	})
}

// wantRefused logs in where nobody should, and checks that it failed before
// the password was sent.
func wantRefused(t *testing.T, want error, login func(p *peer) bool) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool {
			login(p)
			for el := p.element(); el != nil; el = p.element() {
				if el.XMLName.Local == "auth" {
					t.Error("the password was sent")
				}
			}
			return false
		}
		r.run()
		time.Sleep(time.Minute)
		links := take(r, &r.links)
		if len(links) == 0 || links[0].state == Up || want != nil && !errors.Is(links[0].err, want) {
			t.Errorf("links: %+v, want %v", links, want)
		}
	})
}

func TestLoginIsRefused(t *testing.T) {
	t.Run("without TLS", func(t *testing.T) {
		wantRefused(t, nil, func(p *peer) bool { return p.open(plainXML) })
	})
	t.Run("without TLS, and bind", func(t *testing.T) {
		wantRefused(t, nil, func(p *peer) bool { return p.open(plainXML + bindXML) })
	})
	t.Run("with no features", func(t *testing.T) {
		wantRefused(t, nil, func(p *peer) bool { return p.open("") })
	})
	t.Run("with no features in TLS", func(t *testing.T) {
		wantRefused(t, errInsecure, func(p *peer) bool { return p.secure() && p.open("") })
	})
	t.Run("with bind alone in TLS", func(t *testing.T) {
		wantRefused(t, nil, func(p *peer) bool { return p.secure() && p.bind() })
	})
	t.Run("with no resource bound", func(t *testing.T) {
		wantRefusedAfterAuth(t, func(p *peer) bool { return p.secure() && p.plain() && p.open("") })
	})
	t.Run("with an empty result of bind", func(t *testing.T) {
		wantRefusedAfterAuth(t, func(p *peer) bool {
			ok := p.secure() && p.plain() && p.open(bindXML)
			p.result(*p.element(), "")
			return ok
		})
	})
	t.Run("with a JID that is none", func(t *testing.T) {
		wantRefusedAfterAuth(t, func(p *peer) bool {
			ok := p.secure() && p.plain() && p.open(bindXML)
			p.result(*p.element(), "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>@@//</jid></bind>")
			return ok
		})
	})
	t.Run("with something else than a result", func(t *testing.T) {
		wantRefusedAfterAuth(t, func(p *peer) bool {
			ok := p.secure() && p.plain() && p.open(bindXML)
			p.element()
			p.send("<message/>")
			return ok
		})
	})
}

func wantRefusedAfterAuth(t *testing.T, login func(p *peer) bool) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool { return !login(p) || p.silent() }
		r.run()
		time.Sleep(time.Second / 4)
		if links := take(r, &r.links); len(links) != 1 || links[0].state != Down {
			t.Errorf("links: %+v", links)
		}
	})
}

func TestStreamErrorDuringLogin(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool {
			p.send(fakeHeader + streamError("host-unknown"))
			return p.silent()
		}
		r.run()
		time.Sleep(time.Second / 4)
		if links := take(r, &r.links); len(links) != 1 || !errors.Is(links[0].err, stream.HostUnknown) {
			t.Errorf("links: %+v", links)
		}
	})
}

// bind may be answered with conflict (RFC 6120 §7.7.2.2).
func TestConflictAtBind(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool {
			if p.secure() && p.plain() && p.open(bindXML) {
				p.fail(*p.element(), "cancel", "conflict")
			}
			return p.silent()
		}
		r.run()
		time.Sleep(time.Hour)
		if n := len(r.fake.dialled()); n < 10 || n > 30 {
			t.Errorf("%d logins within an hour", n)
		}
	})
}

func TestRetriesSlowDown(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.setDown(true)
		r.run()
		time.Sleep(time.Hour)
		dials := r.fake.dialled()
		if first := dials[1].Sub(dials[0]); first > time.Second {
			t.Errorf("the second attempt comes after %v", first)
		}
		if n := len(dials); n < 60 || n > 300 {
			t.Errorf("%d attempts within an hour", n)
		}
		for i := range dials[1:] {
			if gap := dials[i+1].Sub(dials[i]); gap > 45*time.Second {
				t.Errorf("%v without an attempt", gap)
			}
		}
		if links := take(r, &r.links); len(links) != 1 || links[0].state != Down {
			t.Errorf("links: %+v", links)
		}
		r.fake.setDown(false)
		p := r.session()
		time.Sleep(2 * stable)
		lost := time.Now()
		p.raw.reset()
		r.session()
		if d := time.Since(lost); d > time.Second {
			t.Errorf("after a long session it took %v to come back", d)
		}
	})
}

func TestShortSessionsAreFailures(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		began := time.Now()
		for range 10 {
			r.session().raw.reset()
		}
		if d := time.Since(began); d < 30*time.Second {
			t.Errorf("ten sessions within %v", d)
		}
	})
}
