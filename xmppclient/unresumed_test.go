package xmppclient

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/stream"
)

// TestSessionIsNotResumed has sessions that the server ended, and such whose
// stanzas would only do again what they did.
func TestSessionIsNotResumed(t *testing.T) {
	poison := func(raw string) func(p *peer) { return func(p *peer) { go p.stanza(raw) } }
	ends := map[string]func(p *peer){
		"stream closed":     func(p *peer) { p.send("</stream:stream>") },
		"closed at once":    func(p *peer) { p.last("</stream:stream>") },
		"closed, and reset": func(p *peer) { p.send("</stream:stream>"); synctest.Wait(); p.raw.reset() },
		"broken XML":        poison("<message></iq>"),
		"broken attribute":  poison("<message from=x/>"),
		"broken between":    poison("<message/></iq>"),
		"text in between":   poison("hello<message/>"),
		"unknown entity":    poison("<message>&foo;</message>"),
		"a comment":         poison("<!-- x -->"),
		"a comment inside":  poison("<message><!-- x --></message>"),
		"a document type":   poison("<!DOCTYPE x>"),
		"an odd character":  poison("<message>\x01</message>"),
		"too deep":          poison("<message>" + strings.Repeat("<a>", maxDepth+1) + strings.Repeat("</a>", maxDepth+1) + "</message>"),
	}
	for _, condition := range []string{"conflict", "system-shutdown", "policy-violation", "connection-timeout", "undefined-condition"} {
		ends[condition] = func(p *peer) { p.send(streamError(condition)) }
		ends[condition+", then closed"] = func(p *peer) { p.last(streamError(condition)) }
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			resumable(t, func(r *rig, p *peer) {
				end(p)
				p = r.wantFresh()
				if n := len(r.fake.resumed()); n != 0 {
					t.Errorf("%d attempts to resume, want none", n)
				}
				r.wantLinks(Up, Down, Up)
				handled := p.sent()
				p.raw.reset() // which is another matter
				r.wantResumed(handled)
			})
		})
	}
}

func TestWhyTheServerEndedTheSession(t *testing.T) {
	for condition, want := range map[string]error{
		"conflict":         stream.Conflict,
		"system-shutdown":  stream.SystemShutdown,
		"policy-violation": stream.PolicyViolation,
	} {
		for way, send := range map[string]func(*peer, string){"open": (*peer).send, "closed at once": (*peer).last} {
			t.Run(condition+", "+way, func(t *testing.T) {
				resumable(t, func(r *rig, p *peer) {
					ended := time.Now()
					send(p, streamError(condition))
					r.wantFresh()
					links := take(r, &r.links)
					if len(links) != 3 || links[1].state != Down || !errors.Is(links[1].err, want) {
						t.Errorf("the link is %+v, want down for %v", links, want)
					}
					conflict := condition == "conflict"
					if d := links[2].at.Sub(ended); d > time.Second != conflict || d > time.Minute {
						t.Errorf("back after %v", d)
					}
					if conflict && !strings.Contains(links[1].err.Error(), `another process uses resource "web"`) {
						t.Errorf("%v does not say what the trouble is", links[1].err)
					}
				})
			})
		}
	}
}

// A stream error in place of an answer to resume is as good as a cut.
func TestStreamErrorWhileResuming(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		r.fake.resuming(func(p *peer) bool { p.last(streamError("undefined-condition")); return false })
		p.raw.reset()
		r.wantFresh()
		if n := len(r.fake.resumed()); n != maxResumeTries {
			t.Errorf("%d attempts to resume, want %d", n, maxResumeTries)
		}
	})
}

// Our own goodbye may break the link before the session has ended.
func TestGoodbyeThatFails(t *testing.T) {
	for name, raw := range map[string]string{"stream closed": "</stream:stream>", "stream error": streamError("system-shutdown")} {
		for version, maxTLS := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
			t.Run(name+", "+version, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.fake.managing, r.fake.maxTLS = true, maxTLS
					r.run()
					for range 50 {
						r.session().last(raw)
					}
					r.session()
					if n := len(r.fake.resumed()); n != 0 {
						t.Errorf("%d attempts to resume, want none", n)
					}
				})
			})
		}
	}
}
