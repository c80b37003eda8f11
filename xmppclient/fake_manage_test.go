package xmppclient

import (
	"fmt"
	"strconv"
	"strings"
)

const delayXML = "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='2026-11-22T12:36:54Z'>Resent</delay>"

// A management is what a fake that manages streams knows (XEP-0198). Its fields
// are guarded by fake.mu.
type management struct {
	enabled  string             // the answer to enable; default: resumption for all
	early    string             // what comes before that answer
	onResume func(p *peer) bool // deals with a request to resume; returns whether to go on as usual
	resumes  []iqIn             // the requests to resume
	current  *managed           // the session that can be resumed, if there is one
}

// A managed is a session that outlives its connections.
type managed struct {
	id, bound string
	owner     *peer    // the connection that it has now
	sent      int      // stanzas since it is managed
	unacked   []string // the last of them
}

// stanza counts a stanza, and sends it unless the connection is lost: then it
// will come when the session is resumed.
func (p *peer) stanza(raw string) { p.part(raw, len(raw)) }

// part is stanza, but only n bytes of it are sent.
func (p *peer) part(raw string, n int) {
	p.order.Lock()
	defer p.order.Unlock()
	if m := p.managed(); m != nil {
		p.fake.mu.Lock()
		m.sent++
		m.unacked = append(m.unacked, raw)
		p.fake.mu.Unlock()
	}
	p.send(raw[:n])
}

// managed returns the session that p is the connection of, if it is managed.
func (p *peer) managed() *managed {
	p.fake.mu.Lock()
	defer p.fake.mu.Unlock()
	if m := p.fake.current; m != nil && m.owner == p {
		return m
	}
	return nil
}

// sent returns how many stanzas the session of p had.
func (p *peer) sent() int {
	m := p.managed()
	p.fake.mu.Lock()
	defer p.fake.mu.Unlock()
	return m.sent
}

// manage deals with an element of stream management. It returns whether it
// has.
func (p *peer) manage(el iqIn) bool {
	switch el.XMLName.Local {
	case "enable":
		p.enable()
	case "a":
		if m := p.managed(); m != nil {
			m.acknowledge(p.fake, el.H)
		}
		p.acks <- el.H
	default:
		return false
	}
	return true
}

func (p *peer) enable() {
	f := p.fake
	p.order.Lock()
	defer p.order.Unlock()
	f.mu.Lock()
	m := &managed{id: fmt.Sprint("it's <", len(f.dials), ">"), bound: p.bound, owner: p}
	enabled, early := f.management.enabled, f.early
	if enabled == "" {
		enabled = "<enabled xmlns='" + nsSM + "' resume='true' max='600' id='" + escape(m.id) + "'/>"
	}
	f.current = m
	f.mu.Unlock()
	p.send(early + enabled)
}

// acknowledge forgets the stanzas that the client has handled.
func (m *managed) acknowledge(f *fake, handled string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := strconv.Atoi(handled)
	before := m.sent - len(m.unacked)
	if err != nil || h < before || h > m.sent {
		f.t.Errorf("handled are %q of %d, and %d before", handled, m.sent, before)
		return
	}
	m.unacked = m.unacked[h-before:]
}

// resume goes on with the session that the client asks for, or refuses to.
func (p *peer) resume(el iqIn) bool {
	f := p.fake
	f.mu.Lock()
	f.resumes = append(f.resumes, el)
	m, onResume := f.current, f.onResume
	f.mu.Unlock()
	if onResume != nil && !onResume(p) {
		return false
	}
	if m == nil || m.id != el.PrevID {
		p.send("<failed xmlns='" + nsSM + "' h='0'><item-not-found xmlns='" + nsStanzas + "'/></failed>")
		return false
	}
	m.acknowledge(f, el.H)
	p.order.Lock()
	defer p.order.Unlock()
	p.bound = m.bound
	f.mu.Lock()
	m.owner = p
	again := strings.ReplaceAll(strings.Join(m.unacked, ""), "</message>", delayXML+"</message>")
	f.mu.Unlock()
	p.send("<resumed xmlns='" + nsSM + "' h='0' previd='" + escape(m.id) + "'/>" + again)
	return true
}

// resumed returns the requests to resume that came so far.
func (f *fake) resumed() []iqIn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]iqIn(nil), f.resumes...)
}

// forget ends the session that could be resumed.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = nil
}
