package xmppclient

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"mellium.im/xmpp"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// ordinary is an event as servers send them, of about 500 bytes.
const ordinary = "<message type='headline' from='pubsub.example.org' to='gateway@example.org/web' id='q43hwrIcGviFm-XxpQo4One_'>" +
	"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='news'><item id='b9d1a3a4-3f6a-4c9e-8a33-0a3f1f7f6b0c'>" +
	"<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title><link href='http://example.org/2003/12/13/atom03' rel='alternate'/>" +
	"<id>tag:example.org,2003:entry-32397</id><updated>2003-12-13T18:30:02Z</updated><summary>To be, or not to be</summary></entry>" +
	"</item></items></event></message>"

// A feed is a connection that something is read from, and nothing else.
type feed struct {
	*memConn
	io.Reader
}

func (f feed) Read(p []byte) (int, error)  { return f.Reader.Read(p) }
func (f feed) Write(p []byte) (int, error) { return len(p), nil }

// A repeater reads as n times s.
type repeater struct {
	s    string
	n    int
	rest string
}

func (r *repeater) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.rest == "" {
			if r.n == 0 {
				return n, io.EOF
			}
			r.n, r.rest = r.n-1, r.s
		}
		m := copy(p[n:], r.rest)
		r.rest, n = r.rest[m:], n+m
	}
	return n, nil
}

// serveEvents has a client without a server read n ordinary events, the way it
// does in a session.
func serveEvents(tb testing.TB, n int) {
	tb.Helper()
	account, err := ParseJID("gateway@example.org/web")
	if err != nil {
		tb.Fatal(err)
	}
	seen := 0
	c, err := New(Config{Account: account, Password: "x", OnEvent: func(ev Event) {
		if ev.Item.Payload != "" {
			seen++
		}
	}})
	if err != nil {
		tb.Fatal(err)
	}
	c.add(news).wanted = true
	conn, _ := memConns(1)
	l := newLink(feed{conn, io.MultiReader(strings.NewReader(fakeHeader), &repeater{s: ordinary, n: n}, strings.NewReader("</stream:stream>"))})
	l.start()
	xs, err := xmpp.NewSession(context.Background(), account.Domain(), account, l, 0, readHeader)
	if err != nil {
		tb.Fatal(err)
	}
	if err := xs.Serve(&session{client: c, link: l, xmpp: xs}); err != nil || seen != n {
		tb.Fatalf("%d events, want %d: %v", seen, n, err)
	}
}

// readHeader is a negotiation of nothing.
func readHeader(_ context.Context, in, out *stream.Info, s *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, any, error) {
	r := s.TokenReader()
	defer r.Close()
	for range 2 { // the declaration of XML and the header
		if _, err := r.Token(); err != nil {
			return 0, nil, nil, errors.New("no header")
		}
	}
	in.XMLNS, out.XMLNS = stanza.NSClient, stanza.NSClient
	return xmpp.Ready | xmpp.Secure | xmpp.Authn, nil, nil, nil
}

func BenchmarkEvent(b *testing.B) {
	b.SetBytes(int64(len(ordinary)))
	b.ReportAllocs()
	serveEvents(b, b.N)
}

func TestAllocationsOfAnEvent(t *testing.T) {
	const few, many = 100, 2100
	allocs := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serveEvents(t, n)
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	if each := (allocs(many) - allocs(few)) / (many - few); each > 120 {
		t.Errorf("%d allocations for an event, want 120 at most", each)
	} else {
		t.Logf("%d allocations for an event", each)
	}
}
