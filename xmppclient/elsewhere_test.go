package xmppclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/stream"
)

const seeOtherHostXML = "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>%s</see-other-host></stream:error></stream:stream>"

// wantDialled wants these addresses to have been dialled so far.
func (r *rig) wantDialled(want ...string) {
	r.t.Helper()
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	if !slices.Equal(r.fake.dialed, want) {
		r.t.Errorf("dialled %q, want %q", r.fake.dialed, want)
	}
}

func TestOtherHost(t *testing.T) {
	for host, want := range map[string]string{
		"other.example.org":        "other.example.org:5222",
		"other.example.org:5299":   "other.example.org:5299",
		" other.example.org\n":     "other.example.org:5222",
		"192.0.2.7":                "192.0.2.7:5222",
		"[2001:db8::7]":            "[2001:db8::7]:5222",
		"[2001:db8::7]:5299":       "[2001:db8::7]:5299",
		"":                         "",
		":5222":                    "",
		"other.example.org:":       "",
		"other.example.org:no":     "",
		"other.example.org:5222:1": "",
	} {
		err := fmt.Errorf("logging in: %w", errors.Join(errSilent, stream.Error{Err: "see-other-host", Content: host}))
		if got := otherHost(err); got != want {
			t.Errorf("%q is at %q, want %q", host, got, want)
		}
	}
	if got := otherHost(stream.Error{Err: "conflict", Content: "other.example.org"}); got != "" {
		t.Errorf("a conflict sends us to %q", got)
	}
}

func TestSeeOtherHost(t *testing.T) {
	const usual = fakeDomain + ":5222"
	for host, dialled := range map[string][]string{
		"other.example.org:5299": {usual, "other.example.org:5299", usual},
		"":                       {usual, usual, usual},
	} {
		bubble(t, func(r *rig) {
			r.fake.managing = true
			r.run()
			p := r.session()
			r.Subscribe(news)
			told := time.Now()
			p.send(strings.Replace(seeOtherHostXML, "%s", host, 1))
			p = r.wantFresh()
			if d := time.Since(told); d > time.Second {
				t.Errorf("there after %v", d)
			}
			p.raw.reset() // and from then on the usual way
			r.session()
			r.wantDialled(dialled...)
		})
	}
}

func TestSeeOtherHostDuringLogin(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool {
			if len(r.fake.dialled()) == 1 {
				p.send(fakeHeader + strings.Replace(seeOtherHostXML, "%s", "other.example.org", 1))
				return p.silent()
			}
			return p.defaultLogin()
		}
		r.run()
		r.session()
		r.wantDialled(fakeDomain+":5222", "other.example.org:5222")
	})
}

// TestOtherHostIsNotThere has one that cannot be reached, and such that are not
// who they should be.
func TestOtherHostIsNotThere(t *testing.T) {
	for name, login := range map[string]func(p *peer) bool{
		"gone":        func(p *peer) bool { p.raw.reset(); return false },
		"without TLS": func(p *peer) bool { p.open(plainXML); return false },
		"another certificate": func(p *peer) bool {
			p.open("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>")
			p.element()
			p.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			if tls.Server(p.raw, &tls.Config{Certificates: []tls.Certificate{otherCert()}}).Handshake() == nil {
				p.fake.t.Error("the certificate was accepted")
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.cfg.TLS.RootCAs.AddCert(otherCert().Leaf)
				r.fake.login = func(p *peer) bool {
					if len(r.fake.dialled()) == 2 {
						return login(p)
					}
					return p.defaultLogin()
				}
				r.run()
				p := r.session()
				p.send(strings.Replace(seeOtherHostXML, "%s", "other.example.org", 1))
				r.session()
				const usual = fakeDomain + ":5222"
				r.wantDialled(usual, "other.example.org:5222", usual)
				r.wantLinks(Up, Down, Up)
			})
		})
	}
}
