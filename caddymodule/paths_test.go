package caddymodule_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// A way is how a client comes by its stream.
type way struct {
	name  string
	addr  int    // one of those below
	proto string // as in a request; HTTP/2 if it is empty
	taken bool   // the connection is taken over
}

// The addresses of an everywhere.
const (
	atPlain = iota // HTTP/1 and HTTP/2, without TLS
	atTLS          // the same with TLS
	atOnly1        // HTTP/1 alone, without TLS
	addrs
)

var (
	plain1 = way{"plain", atPlain, "HTTP/1.1", true}
	tls1   = way{"tls", atTLS, "HTTP/1.1", true}
	plain2 = way{"h2c", atPlain, "", false}
	tls2   = way{"h2", atTLS, "", false}
	old    = way{"1.0", atPlain, "HTTP/1.0", false}
	oldTLS = way{"1.0-tls", atTLS, "HTTP/1.0", false}
	only1  = way{"only1", atOnly1, "HTTP/1.1", false}

	ways = []way{plain1, tls1, plain2, tls2, old, oldTLS, only1}
)

// An everywhere is a site that can be reached in all ways.
type everywhere struct {
	*site
	addrs  [addrs]string
	dir    string // of the certificate and its key
	config *tls.Config
	stalls bool   // clients take little that they do not read
	more   string // what they send with a request
}

// startEverywhere runs Caddy until the test ends with a site of the directives.
func startEverywhere(t *testing.T, directives string) *everywhere {
	t.Helper()
	s := everywhereOf(t, newSite(t))
	s.run(s.sites(directives))
	return s
}

// everywhereOf makes a site one that can be reached in all ways.
func everywhereOf(t *testing.T, of *site) *everywhere {
	t.Helper()
	s := &everywhere{site: of, dir: t.TempDir(), addrs: [addrs]string{of.addr, freeAddr(t), freeAddr(t)}}
	s.makeCert()
	for i, protocols := range []string{"h1 h2c", "h1 h2", "h1"} {
		_, port, _ := net.SplitHostPort(s.addrs[i])
		of.globals += fmt.Sprintf("servers :%s {\nprotocols %s\n}\n", port, protocols)
	}
	of.globals += "auto_https off\n" // it would redirect from port 80
	return s
}

// makeCert puts a certificate of 127.0.0.1 where Caddy finds it.
func (s *everywhere) makeCert() {
	s.t.Helper()
	lender := httptest.NewTLSServer(nil)
	lender.Close()
	pool := x509.NewCertPool()
	pool.AddCert(lender.Certificate())
	s.config = &tls.Config{RootCAs: pool}
	cert := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		"key":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// sites returns what is between the braces of a site, which makes it three.
func (s *everywhere) sites(directives string) string {
	all := s.mark(s.loads) + "\n" + directives
	return fmt.Sprintf("%s\n}\nhttps://%s {\ntls %s/cert %s/key\n%s\n}\nhttp://%s {\n%s",
		directives, s.addrs[atTLS], s.dir, s.dir, all, s.addrs[atOnly1], all)
}

// reloadAll makes directives the config of all.
func (s *everywhere) reloadAll(directives string) {
	s.t.Helper()
	s.load(s.sites(directives))
}

// A client is one that has a stream.
type client struct {
	*events
	way  way
	conn net.Conn     // with TLS, if there is; nil for HTTP/2
	tcp  *net.TCPConn // under it
}

// tryOpen opens a stream. What is answered may be anything.
func (s *everywhere) tryOpen(w way, path string, header ...string) (*client, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stuck := time.AfterFunc(patience, cancel) // at the head
	defer stuck.Stop()
	c := &client{way: w}
	open := s.open1
	if w.proto == "" {
		open = s.open2
	}
	res, err := open(ctx, c, path, header)
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = stoppable{res.Body, ctx}
	c.events = &events{t: s.t, res: res, in: bufio.NewReader(res.Body), stop: cancel}
	return c, nil
}

// A stoppable is a body that says so if reading it was given up.
type stoppable struct {
	io.ReadCloser
	ctx context.Context
}

func (b stoppable) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.ctx.Err() != nil {
		err = b.ctx.Err()
	}
	return n, err
}

// dial connects to where a way is.
func (s *everywhere) dial(ctx context.Context, c *client) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addrs[c.way.addr])
	if err != nil {
		return err
	}
	c.tcp = conn.(*net.TCPConn)
	if s.stalls {
		err = c.tcp.SetReadBuffer(4096)
	}
	return err
}

func (s *everywhere) open1(ctx context.Context, c *client, path string, header []string) (*http.Response, error) {
	if err := s.dial(ctx, c); err != nil {
		return nil, err
	}
	c.conn = c.tcp
	if c.way.addr == atTLS {
		config := s.config.Clone()
		config.ServerName = "127.0.0.1"
		c.conn = tls.Client(c.tcp, config)
	}
	context.AfterFunc(ctx, func() { c.tcp.Close() })
	if _, err := io.WriteString(c.conn, s.request(c.way, path, header)+s.more); err != nil {
		c.tcp.Close()
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c.conn), nil)
	if err != nil {
		c.tcp.Close()
	}
	return res, err
}

// request returns a request as it is sent.
func (s *everywhere) request(w way, path string, header []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s %s\r\nHost: %s\r\n", path, w.proto, s.addrs[w.addr])
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	return b.String() + "\r\n"
}

func (s *everywhere) open2(ctx context.Context, c *client, path string, header []string) (*http.Response, error) {
	transport := &http.Transport{
		Protocols:          new(http.Protocols),
		HTTP2:              &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10},
		TLSClientConfig:    s.config.Clone(),
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			err := s.dial(ctx, c)
			return c.tcp, err
		},
	}
	scheme := "http"
	if c.way.addr == atTLS {
		scheme = "https"
		transport.Protocols.SetHTTP2(true)
	} else {
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	context.AfterFunc(ctx, transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.addrs[c.way.addr]+path, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return transport.RoundTrip(req)
}

// leave closes the connection.
func (c *client) leave() {
	c.stop()
	c.res.Body.Close()
	if c.tcp != nil {
		c.tcp.Close()
	}
}

// open opens a stream, which is closed when the test ends.
func (s *everywhere) open(w way, path string, header ...string) *client {
	s.t.Helper()
	c, err := s.tryOpen(w, path, header...)
	for tries := 0; s.loads > 1 && tries < 100 && (err != nil || s.isOld(c.res, nil)); tries++ {
		if err == nil {
			c.leave()
		}
		c, err = s.tryOpen(w, path, header...)
	}
	if err != nil {
		s.t.Fatalf("%s: GET %s: %v\n%s", w.name, path, err, s.log())
	}
	s.t.Cleanup(c.leave)
	major := 2
	if w.proto != "" {
		major = 1
	}
	if c.res.StatusCode != http.StatusOK || c.res.ProtoMajor != major {
		s.t.Fatalf("%s: GET %s: %s %s", w.name, path, c.res.Proto, c.res.Status)
	}
	return c
}

// openAll opens a stream in every way.
func (s *everywhere) openAll(path string, header ...string) (all []*client) {
	s.t.Helper()
	for _, w := range ways {
		all = append(all, s.open(w, path, header...))
	}
	return all
}

// wantAborted wants the end of the stream, and if its client can tell, that it
// is not a clean one.
func (c *client) wantAborted() {
	c.t.Helper()
	ev, err := c.next()
	switch {
	case err == nil:
		c.t.Errorf("%s: event %+v, want the end of the stream", c.way.name, ev)
	case errors.Is(err, context.Canceled):
		c.t.Errorf("%s: the stream does not end", c.way.name)
	case err == io.EOF && c.way.proto != "HTTP/1.0":
		c.t.Errorf("%s: the stream ended cleanly; it has to be aborted", c.way.name)
	}
}

// A tape is all that one client was sent.
type tape struct {
	*client
	b   strings.Builder
	err error // at the end
}

func tapes(clients []*client) (all []*tape) {
	for _, c := range clients {
		all = append(all, &tape{client: c})
	}
	return all
}

// until records up to a line with the text, or to the end if it is empty.
func (tp *tape) until(text string) {
	tp.t.Helper()
	timer := time.AfterFunc(patience, tp.stop)
	defer timer.Stop()
	for {
		line, err := tp.in.ReadString('\n')
		tp.b.WriteString(line)
		switch {
		case err != nil && text == "":
			tp.err = err
			return
		case err != nil:
			tp.t.Fatalf("%s: waiting for %q: %v after %.2000q", tp.way.name, text, err, tp.b.String())
		case text != "" && strings.Contains(line, text):
			return
		}
	}
}

func allUntil(tapes []*tape, text string) {
	for _, tp := range tapes {
		tp.t.Helper()
		tp.until(text)
	}
}

// wantSame wants all to have ended cleanly with the same, byte for byte, and
// returns it.
func wantSame(t *testing.T, tapes []*tape) string {
	t.Helper()
	first := tapes[0].b.String()
	for _, tp := range tapes {
		if tp.err != io.EOF {
			t.Errorf("%s: the stream ended with %v", tp.way.name, tp.err)
		}
		if got := tp.b.String(); got != first {
			t.Errorf("%s has\n%.3000s\n%s has\n%.3000s", tp.way.name, got, tapes[0].way.name, first)
		}
	}
	return first
}

var idLine = regexp.MustCompile(`(?m)^id: .+$`)

// wantText wants text to be this, but for the IDs.
func wantText(t *testing.T, got, want string) {
	t.Helper()
	got = idLine.ReplaceAllString(got, "id")
	got = strings.ReplaceAll(got, strings.Repeat("x", 300_000), "xxx")
	if got != want {
		t.Errorf("got:\n%.5000s\nwant:\n%s", got, want)
	}
}

func startEverywhereWith(t *testing.T, options string, nodes ...string) (*fake, *everywhere) {
	t.Helper()
	f := startFake(t, xmpptest.Config{})
	for _, node := range nodes {
		f.CreateNode(node, xmpptest.NodeConfig{MaxItems: 1000})
	}
	return f, startEverywhere(t, f.directive(options))
}

// TestSameInEveryWay has all that a stream can say.
func TestSameInEveryWay(t *testing.T) {
	f, s := startEverywhereWith(t, "heartbeat 1h\nlimits {\nevent 500KiB\n}", "news")
	all := tapes(s.openAll("/eventsource/news"))
	allUntil(all, "'subscribed'/>")
	f.Publish("news", "a b", "<x xmlns='urn:x'>1\n\nevent: x\n2 é</x>")
	allUntil(all, "2 é</x>")
	at := regexp.MustCompile(`id: (a%20b.*)\n`).FindStringSubmatch(all[0].b.String())[1]
	f.Publish("news", "empty", "")
	f.Publish("news", "big", "<x xmlns='urn:x'>"+strings.Repeat("x", 300_000)+"</x>")
	allUntil(all, "id='big'")
	f.Retract("news", "a b")
	f.PurgeNode("news")
	allUntil(all, "<purge")
	again := tapes(s.openAll("/eventsource/news", "Last-Event-ID", at))
	allUntil(again, "<purge")
	all = append(all, again...)

	f.Publish("news", "large", "<x xmlns='urn:x'>"+strings.Repeat("x", 600_000)+"</x>")
	allUntil(all, "too-large")
	f.SetRefusing(true)
	f.session().Reset()
	allUntil(all, "is lost")
	f.SetRefusing(false)
	allUntil(all, "is back")
	f.Publish("news", "back", entry)
	allUntil(all, "id='back'")
	f.DeleteNode("news")
	allUntil(all, "")

	const item = "data: <item xmlns='http://jabber.org/protocol/pubsub' "
	const head = ":\nretry: 3000\nevent: subscription\nid\ndata: <subscription node='news' subscription='subscribed'/>\n\n"
	const first = "id\n" + item + "id='a b'><x xmlns='urn:x'>1\ndata: \ndata: event: x\ndata: 2 é</x></item>\n\n"
	const rest = "id\n" + item + "id='empty'/>\n\n" +
		"id\n" + item + "id='big'><x xmlns='urn:x'>xxx</x></item>\n\n" +
		"event: retract\nid\ndata: <retract id='a b'/>\n\n" +
		"event: purge\nid\ndata: <purge node='news'/>\n\n" +
		"event: gap\nid\ndata: {\"node\":\"news\",\"reason\":\"too-large\"}\n\n" +
		": the link to the XMPP server is lost\n" +
		": the link to the XMPP server is back\n" +
		"id\n" + item + "id='back'>" + entry + "</item>\n\n" +
		"event: delete\nid\ndata: <delete node='news'/>\n\n"
	wantText(t, wantSame(t, all[:len(ways)]), head+first+rest)
	wantText(t, wantSame(t, again), head+rest)
	wantNoTrouble(t, s.site)
}

// TestSeveralNodesInEveryWay ends with a subscription that is taken away.
func TestSeveralNodesInEveryWay(t *testing.T) {
	f, s := startEverywhereWith(t, "heartbeat 1h", "a", "b")
	all := tapes(s.openAll("/eventsource/?node=a&node=b"))
	allUntil(all, "node='b' subscription='subscribed'")
	f.publishAll("a", "a1")
	allUntil(all, "id='a1'")
	f.publishAll("b", "b1")
	allUntil(all, "id='b1'")
	at := regexp.MustCompile(`id: (b1.*)\n`).FindStringSubmatch(all[0].b.String())[1]
	f.Retract("a", "a1")
	allUntil(all, "<retract")
	again := tapes(s.openAll("/eventsource/?node=b&node=a", "Last-Event-ID", at))
	allUntil(again, "<retract")
	all = append(all, again...)
	f.PurgeNode("b")
	allUntil(all, "<purge")
	f.EndSubscription("b", f.Subscribers("b")[0])
	allUntil(all, "")

	const head = ":\nretry: 3000\n" +
		"event: subscription\nid\ndata: <subscription node='a' subscription='subscribed'/>\n\n" +
		"event: subscription\nid\ndata: <subscription node='b' subscription='subscribed'/>\n\n"
	a1 := "id\ndata: <items node='a'>" + itemData("a1", payload("a1")) + "</items>\n\n"
	b1 := "id\ndata: <items node='b'>" + itemData("b1", payload("b1")) + "</items>\n\n"
	const retract = "event: retract\nid\ndata: <items node='a'><retract id='a1'/></items>\n\n"
	const rest = "event: purge\nid\ndata: <purge node='b'/>\n\n" +
		"event: subscription\nid\ndata: <subscription node='b' subscription='none'/>\n\n"
	wantText(t, wantSame(t, all[:len(ways)]), head+a1+b1+retract+rest)
	wantText(t, wantSame(t, again), head+retract+rest)
}

func TestHeartbeatInEveryWay(t *testing.T) {
	f, s := startEverywhereWith(t, "heartbeat 100ms", "news")
	all := s.openAll("/eventsource/news")
	for _, c := range all {
		c.wantSubscribed("news")
	}
	began := time.Now()
	for i := range 8 {
		for _, c := range all {
			c.wantLine(":")
		}
		if i == 3 {
			f.Publish("news", "1", entry)
			for _, c := range all {
				c.wantItem("1", entry)
			}
		}
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("8 heartbeats came within %v", took)
	}
}

// TestHeldInEveryWay has streams that begin before there is a link.
func TestHeldInEveryWay(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	f.SetRefusing(true)
	s := startEverywhere(t, f.directive("heartbeat 1h"))
	all := tapes(s.openAll("/eventsource/news", "Last-Event-ID", "garbage"))
	allUntil(all, "waiting for")
	f.SetRefusing(false)
	allUntil(all, "unknown-id")
	f.DeleteNode("news")
	allUntil(all, "")
	wantText(t, wantSame(t, all), ":\nretry: 3000\n: waiting for the XMPP server\n"+
		"event: subscription\nid\ndata: <subscription node='news' subscription='subscribed'/>\n\n"+
		"event: gap\nid\ndata: {\"node\":\"news\",\"reason\":\"unknown-id\"}\n\n"+
		"event: delete\nid\ndata: <delete node='news'/>\n\n")
}

// TestMiddlewareInEveryWay wants what others do to a response to be there.
func TestMiddlewareInEveryWay(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	access := filepath.Join(t.TempDir(), "access")
	s := startEverywhere(t, "log {\noutput file "+access+`
		}
		`+basicAuth("", "juliet")+`
		header X-Now 1
		header >X-Later 2
		header >Cache-Control "no-cache, no-transform, private"
		encode gzip
		handle_path /es/* {
			route {
				request_header X-In seen
				header X-Seen {http.request.header.X-In}
				`+f.directive("prefix /\ncors https://a.example")+`
			}
		}`)
	header := append(authorization("juliet"), "Origin", "https://a.example", "Accept-Encoding", "gzip")
	for _, w := range ways {
		if c, err := s.tryOpen(w, "/es/news"); err != nil || c.res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: without credentials: %v %v", w.name, c, err)
		} else {
			c.leave()
		}
		c := s.open(w, "/es/news?way="+w.name, header...)
		c.wantSubscribed("news")
		c.wantHead(http.Header{
			"X-Now": {"1"}, "X-Later": {"2"}, "X-Seen": {"seen"}, "Cache-Control": {"no-cache, no-transform, private"},
			"Content-Type": {"text/event-stream"}, "Incremental": {"?1"}, "X-Accel-Buffering": {"no"}, "Server": {"Caddy"},
			"Access-Control-Allow-Origin": {"https://a.example"}, "Access-Control-Allow-Credentials": {"true"},
		})
		f.Publish("news", w.name, entry)
		c.wantItem(w.name, entry)
		c.leave()
	}
	wantAccess(t, access)
	wantNoTrouble(t, s.site)
}

// wantHead wants the head to have these fields, each once, and no others but
// those that depend on the protocol.
func (c *client) wantHead(want http.Header) {
	c.t.Helper()
	got := c.res.Header.Clone()
	if n := len(got["Date"]); n != 1 {
		c.t.Errorf("%s: %d dates", c.way.name, n)
	}
	for _, name := range []string{"Date", "Connection", "Vary", "Alt-Svc"} {
		got.Del(name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		c.t.Errorf("%s: head\n%v, want\n%v", c.way.name, got, want)
	}
	chunked := c.way.proto == "HTTP/1.1"
	if got := fmt.Sprint(c.res.TransferEncoding) == "[chunked]"; got != chunked {
		c.t.Errorf("%s: transfer encoding %v", c.way.name, c.res.TransferEncoding)
	}
}

// wantAccess wants each way's stream to be logged once.
func wantAccess(t *testing.T, file string) {
	t.Helper()
	for _, w := range ways {
		read := func() (n int) {
			data, _ := os.ReadFile(file)
			for line := range strings.Lines(string(data)) {
				if strings.Contains(line, "way="+w.name+`"`) && strings.Contains(line, `"status":200`) {
					n++
				}
			}
			return n
		}
		wantSoon(t, "the stream of "+w.name+" is in the access log", func() bool { return read() > 0 })
		if n := read(); n != 1 {
			t.Errorf("%s: %d lines in the access log", w.name, n)
		}
	}
}
