package xmppclient

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// silentAt are logins at which the server falls silent.
var silentAt = map[string]func(p *peer) bool{
	"accept": func(p *peer) bool { return p.silent() },
	"header": func(p *peer) bool {
		p.send(fakeHeader)
		return p.silent()
	},
	"features": func(p *peer) bool {
		return p.open("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") && p.silent()
	},
	"handshake": func(p *peer) bool {
		p.open("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		p.element()
		p.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		return p.silent()
	},
	"second header": func(p *peer) bool { return p.secure() && p.silent() },
	"SASL": func(p *peer) bool {
		return p.secure() && p.open("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>") && p.silent()
	},
	"third header": func(p *peer) bool { return p.secure() && p.plain() && p.silent() },
	"bind": func(p *peer) bool {
		return p.secure() && p.plain() && p.open("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") && p.silent()
	},
	"half of the result": func(p *peer) bool {
		p.secure()
		p.plain()
		p.open("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
		p.element()
		p.send("<iq type='result' id='")
		return p.silent()
	},
}

// silent reads what comes until the client has gone.
func (p *peer) silent() bool {
	for b := make([]byte, 1000); ; {
		if _, err := p.raw.Read(b); err != nil {
			return false
		}
	}
}

func TestSilentServerCannotHoldLogin(t *testing.T) {
	for name, login := range silentAt {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.login = login
				began := time.Now()
				r.run()
				time.Sleep(loginTimeout - time.Second)
				synctest.Wait()
				if len(take(r, &r.links)) != 0 {
					t.Error("the login ended early")
				}
				time.Sleep(2 * time.Second)
				links := take(r, &r.links)
				if len(links) != 1 || links[0].state != Down || !errors.Is(links[0].err, errNoLogin) {
					t.Fatalf("the link is %+v, want down for %v", links, errNoLogin)
				}
				if d := links[0].at.Sub(began); d != loginTimeout || d > 30*time.Second {
					t.Errorf("the login took %v", d)
				}
			})
		})
	}
}

func TestRunReturnsDuringLogin(t *testing.T) {
	for name, login := range silentAt {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.login = login
				r.run()
				time.Sleep(time.Second)
				began := time.Now()
				r.end()
				if d := time.Since(began); d > 0 {
					t.Errorf("Run returned after %v", d)
				}
			})
		})
	}
}

func TestRunReturnsWhileTheServerIsAway(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.setDown(true)
		r.run()
		time.Sleep(10 * time.Minute)
		began := time.Now()
		r.end()
		if d := time.Since(began); d > 0 {
			t.Errorf("Run returned after %v", d)
		}
	})
}
