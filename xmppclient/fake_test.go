package xmppclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	fakeDomain  = "example.org"
	fakeService = "pubsub.example.org"
	fakeHeader  = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='example.org' id='s'>"
)

// A fake is a server in memory that does what the test says. Its fields are
// set before it is dialled.
type fake struct {
	t        *testing.T
	buffer   int              // of each connection; default 1 MiB
	login    func(*peer) bool // default: (*peer).defaultLogin
	maxTLS   uint16           // default: the newest
	failure  string           // the SASL condition that refuses the account, if any
	throttle int              // bytes per second that are read in a session; 0 is all
	managing bool             // it offers stream management

	mu       sync.Mutex                  // guards the following fields
	onIQ     func(p *peer, iq iqIn) bool // returns whether it has dealt with iq
	down     bool
	dials    []time.Time
	dialed   []string   // their addresses
	sessions chan *peer // those that are bound or resumed
	management
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, buffer: 1 << 20, login: (*peer).defaultLogin, sessions: make(chan *peer, 100)}
}

func (f *fake) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// answer has f deal with the requests that come from now on. It returns
// whether it has.
func (f *fake) answer(onIQ func(p *peer, iq iqIn) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onIQ = onIQ
}

func (f *fake) answers(p *peer, iq iqIn) bool {
	f.mu.Lock()
	onIQ := f.onIQ
	f.mu.Unlock()
	return onIQ != nil && onIQ(p, iq)
}

// ignore leaves all requests unanswered.
func ignore(*peer, iqIn) bool { return true }

func (f *fake) dialled() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.dials...)
}

func (f *fake) dial(_ context.Context, _, addr string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials, f.dialed = append(f.dials, time.Now()), append(f.dialed, addr)
	if f.down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := memConns(f.buffer)
	p := &peer{fake: f, raw: server, conn: server, got: make(chan iqIn, 10_000), acks: make(chan string, 10_000), ended: make(chan struct{})}
	p.in = bufio.NewReader(p)
	go p.serve() // ends with the connection
	return client, nil
}

// A peer is the server's end of one connection.
type peer struct {
	fake  *fake
	raw   *memConn
	conn  net.Conn // raw or TLS upon it
	in    *bufio.Reader
	bound string        // the full JID
	got   chan iqIn     // the stanzas that came in the session
	acks  chan string   // how many stanzas the client said to have handled
	ended chan struct{} // closed when nothing more is read
	cause error         // why; static after ended is closed

	mu     sync.Mutex // guards the following fields
	quiet  bool       // what comes is dropped, as by a host that is gone
	frozen bool       // nothing is read any more

	order sync.Mutex // held while a stanza is counted and written
}

// iqIn is a stanza from the client.
type iqIn struct {
	XMLName   xml.Name
	Type      string `xml:"type,attr"`
	ID        string `xml:"id,attr"`
	To        string `xml:"to,attr"`
	Mechanism string `xml:"mechanism,attr"`
	H         string `xml:"h,attr"`
	PrevID    string `xml:"previd,attr"`
	Inner     string `xml:",innerxml"`
	At        time.Time
}

// Read reads from the connection as fast as the throttle allows.
func (p *peer) Read(b []byte) (int, error) {
	if rate := p.fake.throttle; rate > 0 && p.bound != "" {
		b = b[:min(len(b), rate/10)]
		time.Sleep(100 * time.Millisecond)
	}
	n, err := p.conn.Read(b)
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen {
		p.raw.in.waitEnd()
	}
	return n, err
}

func (p *peer) serve() {
	defer close(p.ended)
	if !p.fake.login(p) {
		return
	}
	p.fake.sessions <- p
	d := xml.NewDecoder(p.in)
	d.DefaultSpace = "jabber:client"
	for {
		var iq iqIn
		if err := d.Decode(&iq); err != nil {
			p.cause = err
			p.conn.Close()
			return
		}
		iq.At = time.Now()
		p.mu.Lock()
		quiet := p.quiet
		p.mu.Unlock()
		if quiet || p.fake.managing && iq.XMLName.Space == nsSM && p.manage(iq) {
			continue
		}
		p.got <- iq
		if iq.Type != "get" && iq.Type != "set" || p.fake.answers(p, iq) {
			continue
		}
		p.result(iq, "")
	}
}

// defaultLogin is STARTTLS, PLAIN and whatever resource is asked for.
func (p *peer) defaultLogin() bool {
	return p.secure() && p.plain() && p.bind()
}

func (p *peer) secure() bool {
	if !p.open("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>") || p.element() == nil {
		return false
	}
	p.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	return p.handshake()
}

func (p *peer) handshake() bool {
	tc := tls.Server(p.raw, &tls.Config{Certificates: []tls.Certificate{fakeCert()}, MaxVersion: p.fake.maxTLS, NextProtos: []string{"xmpp-client"}})
	if tc.Handshake() != nil {
		return false
	}
	p.conn = tc
	return true
}

func (p *peer) plain() bool {
	if !p.open("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>") || p.element() == nil {
		return false
	}
	if f := p.fake.failure; f != "" {
		p.last("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" + f + "/></failure></stream:stream>")
		return false
	}
	p.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	return true
}

func (p *peer) bind() bool {
	features := bindXML
	if p.fake.managing {
		features += "<sm xmlns='" + nsSM + "'/>"
	}
	if !p.open(features) {
		return false
	}
	iq := p.element()
	if iq != nil && iq.XMLName.Local == "resume" {
		if p.resume(*iq) {
			return true
		}
		iq = p.element()
	}
	if iq == nil {
		return false
	}
	_, rest, _ := strings.Cut(iq.Inner, "<resource>")
	resource, _, _ := strings.Cut(rest, "</resource>")
	p.bound = "gateway@" + fakeDomain + "/" + resource
	p.result(*iq, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>"+p.bound+"</jid></bind>")
	return true
}

// open reads a stream header and answers it with these features.
func (p *peer) open(features string) bool {
	d := xml.NewDecoder(p.in)
	for {
		tok, err := d.RawToken()
		if err != nil {
			return false
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == "stream" {
			p.send(fakeHeader + "<stream:features>" + features + "</stream:features>")
			return true
		}
	}
}

// element reads one element of the login, or returns nil.
func (p *peer) element() *iqIn {
	var el iqIn
	if xml.NewDecoder(p.in).Decode(&el) != nil {
		return nil
	}
	return &el
}

// send writes to the client, who may be gone.
func (p *peer) send(raw string) { _, _ = p.conn.Write([]byte(raw)) }

// last writes and closes the connection such that both can be read at once.
func (p *peer) last(raw string) {
	p.send(raw)
	_ = p.conn.Close()
}

func (p *peer) result(iq iqIn, inner string) {
	p.stanza(fmt.Sprintf("<iq type='result' id='%s' from='%s' to='%s'>%s</iq>", iq.ID, iq.To, p.bound, inner))
}

func (p *peer) fail(iq iqIn, typ, condition string) {
	p.stanza(fmt.Sprintf("<iq type='error' id='%s' from='%s'><error type='%s'><%s xmlns='%s'/></error></iq>", iq.ID, iq.To, typ, condition, nsStanzas))
}

// hang makes the peer look unreachable.
func (p *peer) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = true
}

// freeze stops reading.
func (p *peer) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// publish sends an event of one item.
func (p *peer) publish(node, id, payload string) {
	p.stanza(eventXML(node, "<item id='"+id+"'>"+payload+"</item>"))
}

func eventXML(node, items string) string {
	return "<message from='" + fakeService + "' type='headline'><event xmlns='" + nsPubSubEvent + "'><items node='" + node + "'>" + items + "</items></event></message>"
}
