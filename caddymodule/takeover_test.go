package caddymodule_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// handling returns how many goroutines serve a stream.
func handling() int {
	stacks := make([]byte, 32<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "caddymodule.(*response).serve(")
}

// TestStreamsHaveNoGoroutine has many streams, and none afterwards.
func TestStreamsHaveNoGoroutine(t *testing.T) {
	const streams = 200
	f, s := startEverywhereWith(t, "linger 1ms", "news")
	for _, c := range s.openAll("/eventsource/news") { // what is started once
		c.wantSubscribed("news")
		c.leave()
	}
	s.wantEndings("news", len(ways))
	for _, w := range ways {
		before := runtime.NumGoroutine()
		var all []*client
		for range streams {
			c := s.open(w, "/eventsource/news")
			c.wantSubscribed("news")
			all = append(all, c)
		}
		want := streams
		if w.taken {
			want = 0
			wantSoon(t, "no goroutine is left of "+w.name, func() bool { return runtime.NumGoroutine() < before+streams/10 })
		}
		wantSoon(t, fmt.Sprintf("%d goroutines serve the streams of %s", want, w.name), func() bool { return handling() == want })
		f.Publish("news", w.name, entry)
		for _, c := range all {
			c.wantItem(w.name, entry)
			c.leave()
		}
		f.wantSubscribers("news", 0)
		// Others may come and go meanwhile, but not many.
		wantSoon(t, "there are as few goroutines as before "+w.name, func() bool { return runtime.NumGoroutine() < before+5 })
	}
	s.wantEndings("news", len(ways)*(1+streams))
	wantNoTrouble(t, s.site)
}

// TestEncodedStreamIsNotTaken has a site that insists on it.
func TestEncodedStreamIsNotTaken(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	s := startEverywhere(t, `route {
		encode {
			gzip
			match header Content-Type text/*
		}
		header >Cache-Control no-cache
		`+f.directive("")+`
	}`)
	for _, w := range []way{plain1, tls1} {
		c := s.open(w, "/eventsource/news", "Accept-Encoding", "gzip")
		if got := c.res.Header.Get("Content-Encoding"); got != "gzip" {
			t.Fatalf("%s: the encoding is %q", w.name, got)
		}
		c.gunzip()
		c.wantSubscribed("news")
		f.Publish("news", w.name, entry)
		c.wantItem(w.name, entry)
	}
	if n := handling(); n != 2 {
		t.Errorf("%d goroutines serve 2 streams", n)
	}
	f.DeleteNode("news")
}

// wantLeft wants the stream of a node that is only its own to have ended
// because the client went away.
func (s *everywhere) wantLeft(node string) {
	s.t.Helper()
	if e := s.wantEndings(node, 1)[0]; e.Reason != whyGone {
		s.t.Errorf("logged: %+v", e)
	}
}

// TestClientsThatSayMore has clients that do not leave it at a request.
func TestClientsThatSayMore(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	s := startEverywhere(t, f.directive("heartbeat 1s"))
	for what, more := range map[string]string{
		"request": "GET /eventsource/none HTTP/1.1\r\nHost: x\r\n\r\n",
		"garbage": strings.Repeat("\x00\xff garbage\r\n", 5000),
		"byte":    "x",
	} {
		for i, w := range ways {
			if w.proto == "" {
				continue
			}
			node := fmt.Sprint(what, i)
			f.CreateNode(node, xmpptest.NodeConfig{})
			s.wantNoHarm(f, w, node, more)
			if len(more) > 3 { // else net/http waits for the rest
				s.wantNoHarm(f, w, node, more, "Content-Length", "3")
			}
		}
	}
	wantSoon(t, "no goroutine serves a stream", func() bool { return handling() == 0 })
	wantNoTrouble(t, s.site)
}

// wantNoHarm has a client that says more with the request, and when the stream
// has begun.
func (s *everywhere) wantNoHarm(f *fake, w way, node, more string, header ...string) {
	s.t.Helper()
	s.more = more
	c := s.open(w, "/eventsource/"+node, header...)
	s.more = ""
	c.wantSubscribed(node)
	if _, err := io.WriteString(c.conn, more); err != nil {
		s.t.Errorf("%s: %v", w.name, err)
	}
	f.Publish(node, "1", entry)
	c.wantItem("1", entry)
	c.leave()
}

// TestClientsThatGo has clients that end the connection as they can.
func TestClientsThatGo(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	s := startEverywhere(t, f.directive("heartbeat 1h"))
	for how, end := range map[string]func(*client) error{
		"close": func(c *client) error { return c.tcp.Close() },
		"half":  func(c *client) error { return c.tcp.CloseWrite() },
		"reset": func(c *client) error { return errors.Join(c.tcp.SetLinger(0), c.tcp.Close()) },
		"noise": func(c *client) error {
			if c.way.proto == "" {
				return c.tcp.Close()
			}
			_, err := c.conn.Write(make([]byte, 10_000))
			return errors.Join(err, c.tcp.CloseWrite())
		},
	} {
		for _, w := range ways {
			if how == "noise" && !w.taken {
				continue // net/http does not look for the end behind what it cannot read yet
			}
			node := how + "-" + w.name
			f.CreateNode(node, xmpptest.NodeConfig{})
			c := s.open(w, "/eventsource/"+node)
			c.wantSubscribed(node)
			if err := end(c); err != nil {
				t.Errorf("%s: %v", node, err)
			}
			s.wantLeft(node)
			if _, err := c.next(); err == nil {
				t.Errorf("%s: the stream goes on", node)
			}
			c.leave()
		}
	}
	wantNoTrouble(t, s.site)
}

// TestOtherRequestsAreNotTaken has them before a stream on one connection.
func TestOtherRequestsAreNotTaken(t *testing.T) {
	_, s := startEverywhereWith(t, "", "news")
	for _, w := range []way{plain1, tls1, only1} {
		c, err := s.tryOpen(w, "/eventsource/news", "X-Requested-With", "XMLHttpRequest", "Accept", eventStream)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.leave)
		if err := c.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(c.in)
		if err != nil || c.res.ContentLength != int64(len(body)) || !strings.HasPrefix(string(body), "event: subscription\n") {
			t.Errorf("%s: a poll has %d bytes, %q, %v", w.name, c.res.ContentLength, body, err)
		}
		in := bufio.NewReader(c.conn)
		for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodHead, http.MethodPost} {
			fmt.Fprintf(c.conn, "%s /eventsource/news HTTP/1.1\r\nHost: %s\r\n\r\n", method, s.addrs[w.addr])
			res, err := http.ReadResponse(in, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s: %s: %v", w.name, method, err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || method == http.MethodHead && res.Header.Get("Content-Type") != eventStream {
				t.Errorf("%s: %s: %s %v, %v", w.name, method, res.Status, res.Header, err)
			}
		}
		if _, err := io.WriteString(c.conn, s.request(w, "/eventsource/news", nil)); err != nil {
			t.Fatal(err)
		}
		if c.res, err = http.ReadResponse(in, nil); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		c.in.Reset(c.res.Body)
		c.wantSubscribed("news")
		c.leave()
	}
	s.wantEndings("news", 3)
	for _, w := range ways {
		c := s.open(w, "/eventsource/news?transport=longpoll", "Accept", eventStream)
		c.wantSubscribed("news")
		c.wantOver()
		if c.res.ContentLength <= 0 {
			t.Errorf("%s: a poll has %d bytes", w.name, c.res.ContentLength)
		}
	}
	wantSoon(t, "nothing is left", func() bool { return handling() == 0 })
	s.wantEndings("news", 3)
}

// TestAccessEndsInEveryWay has a node that is closed while streams of it run.
// The service takes its time to say so.
func TestAccessEndsInEveryWay(t *testing.T) {
	f, holding, held := startReticent(t)
	member := []string{"gateway@localhost"}
	f.CreateNode("told", xmpptest.NodeConfig{NotifyConfig: true, Members: member})
	f.CreateNode("closed", xmpptest.NodeConfig{Members: member})
	f.CreateNode("open", xmpptest.NodeConfig{})
	s := startEverywhere(t, f.directive("heartbeat 1h"))
	told, closed, open := tapes(s.openAll("/eventsource/told")), tapes(s.openAll("/eventsource/closed")), tapes(s.openAll("/eventsource/open"))
	for _, all := range [][]*tape{told, closed, open} {
		allUntil(all, "'subscribed'/>")
	}
	f.SetAccessModel("told", "whitelist")
	f.Publish("told", "1", "<secret xmlns='urn:x'/>")
	wantClosed(t, told)

	holding.Store(true)
	f.SetAccessModel("closed", "whitelist")
	f.session().Reset()
	answer := <-held
	f.Publish("closed", "1", "<secret xmlns='urn:x'/>")
	f.Publish("open", "1", entry)
	allUntil(open, "id='1'") // and what came before it was read, too
	answer()
	wantClosed(t, closed)
}

// wantClosed wants the streams to end with the end of the subscription, and
// nothing that is secret.
func wantClosed(t *testing.T, tapes []*tape) {
	t.Helper()
	allUntil(tapes, "")
	for _, tp := range tapes {
		got := tp.b.String()
		if !strings.HasSuffix(got, " subscription='none'/>\n\n") || strings.Contains(got, "secret") || tp.err != io.EOF {
			t.Errorf("%s: %s, %v", tp.way.name, got, tp.err)
		}
	}
}

// A visitor is a client that comes back whenever its stream ends, and wants all
// events of its node, each once.
type visitor struct {
	*everywhere
	way   way
	node  string
	id    string // of the last event
	count int    // of the events so far
	opens int
}

// visit has streams until there were n events. Every so often it leaves.
func (v *visitor) visit(n, every int, begun func()) error {
	for failed := 0; v.count < n; {
		var header []string
		if v.id != "" {
			header = []string{"Last-Event-ID", v.id}
		}
		c, err := v.tryOpen(v.way, "/eventsource/"+v.node, header...)
		if err != nil {
			if failed++; failed > 1000 {
				return err
			}
			continue // the listener of a config that is gone
		}
		failed = 0
		err = v.watch(c, n, every, begun)
		c.leave()
		if err != nil {
			return err
		}
	}
	return nil
}

// watch counts the events of one stream, until it ends or there were enough.
func (v *visitor) watch(c *client, n, every int, begun func()) error {
	if c.res.StatusCode != http.StatusOK {
		return errors.New(c.res.Status)
	}
	v.opens++
	for had := 0; had < every && v.count < n; {
		ev, err := c.next()
		switch {
		case errors.Is(err, context.Canceled):
			return fmt.Errorf("nothing came after %d events", v.count)
		case err != nil:
			return nil
		case ev.name == "subscription":
			v.begin(ev.id, begun)
		case !strings.Contains(ev.data, fmt.Sprintf(" id='%d'", v.count)):
			return fmt.Errorf("event %q %.200s, want item %d", ev.name, ev.data, v.count)
		default:
			v.id = ev.id
			v.count++
			had++
		}
	}
	return nil
}

func (v *visitor) begin(id string, begun func()) {
	if v.id == "" {
		v.id = id
		begun()
	}
}

// TestVisitors has many streams that come and go while there are events, and
// configs.
func TestVisitors(t *testing.T) {
	const visitors, events, nodes = 300, 120, 3
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprint("n", i))
	}
	f, s := startEverywhereWith(t, "linger 1ms", names...)
	before := runtime.NumGoroutine()
	var opens atomic.Int64
	var begun, running sync.WaitGroup
	begun.Add(visitors)
	for i := range visitors {
		v := &visitor{everywhere: s, way: ways[i%len(ways)], node: names[i/len(ways)%nodes]}
		every := 1 + i%50
		if i%3 == 0 {
			every = events // leaves only with its config
		}
		running.Go(func() {
			if err := v.visit(events, every, begun.Done); err != nil {
				t.Errorf("%s: %v", v.way.name, err)
			}
			opens.Add(int64(v.opens))
		})
	}
	begun.Wait()
	for i := range events {
		if i%30 == 10 {
			s.reloadAll(f.directive(fmt.Sprintf("linger 1ms\nretry %ds", i)))
		}
		if i == events-1 {
			wantSoon(t, "all come back whose config is gone", func() bool { return countLines(s.log(), whyReload) >= visitors/3 })
		}
		for _, node := range names {
			f.Publish(node, fmt.Sprint(i), entry)
		}
	}
	running.Wait()
	s.wantEndings("", int(opens.Load()))
	for _, node := range names {
		f.wantSubscribers(node, 0)
	}
	wantNoTrouble(t, s.site)
	wantSoon(t, "no goroutine serves a stream", func() bool { return handling() == 0 })
	wantSoon(t, "there are few goroutines", func() bool { return runtime.NumGoroutine() < before+30 })
}

// gunzip reads the stream through a decoder.
func (c *client) gunzip() {
	c.in = bufio.NewReader(&lazyGzip{from: c.in})
}

// A lazyGzip waits for the head of what it decodes only when it is read.
type lazyGzip struct {
	from io.Reader
	in   *gzip.Reader
}

func (g *lazyGzip) Read(p []byte) (n int, err error) {
	if g.in == nil {
		if g.in, err = gzip.NewReader(g.from); err != nil {
			return 0, err
		}
	}
	return g.in.Read(p)
}

// TestLastWordsAfterMore has clients that said more than a request, and read
// late: they get all that was written before the stream ended.
func TestLastWordsAfterMore(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	s := startEverywhere(t, f.directive("heartbeat 1h"))
	payload := "<x xmlns='urn:x'>" + strings.Repeat("x", 40_000) + "</x>"
	for _, w := range []way{plain1, tls1} {
		f.CreateNode(w.name, xmpptest.NodeConfig{})
		s.stalls = true
		c := s.open(w, "/eventsource/"+w.name)
		c.wantSubscribed(w.name)
		if _, err := io.WriteString(c.conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		f.Publish(w.name, "1", payload)
		f.DeleteNode(w.name)
		s.wantEndings(w.name, 1)
		c.wantItem("1", payload)
		c.want("delete", fmt.Sprintf("<delete node='%s'/>", w.name))
		c.wantOver()
	}
}
