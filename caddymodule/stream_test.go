package caddymodule_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

const entry = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title></entry>"

// raw sends the lines of a request as they are, and returns what comes.
func (s *site) raw(lines ...string) *bufio.Reader {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	lines = append(lines, "Host: "+s.addr, "", "")
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")); err != nil {
		s.t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// head reads the head of a response, sorted, less what changes.
func (s *site) head(in *bufio.Reader) string {
	s.t.Helper()
	var lines []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
		if !strings.HasPrefix(line, "Date: ") {
			lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		}
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

func TestStreamBytes(t *testing.T) {
	f, site := start(t, "", "news")
	in := site.raw("GET /eventsource/news HTTP/1.1")
	want := `HTTP/1.1 200 OK
Access-Control-Allow-Origin: *
Cache-Control: no-cache, no-transform
Content-Type: text/event-stream
Incremental: ?1
Server: Caddy
Transfer-Encoding: chunked
X-Accel-Buffering: no`
	if got := site.head(in); got != want {
		t.Errorf("head:\n%s\nwant:\n%s", got, want)
	}
	wantChunk(t, in, "^:\nretry: 3000\nevent: subscription\nid: ,[^\n ]+\ndata: <subscription node='news' subscription='subscribed'/>\n\n$")
	f.Publish("news", "a b", "<x xmlns='urn:x'>1\n\n2</x>")
	wantChunk(t, in, "^id: a%20b,[^\n ]+\ndata: <item xmlns='http://jabber.org/protocol/pubsub' id='a b'><x xmlns='urn:x'>1\ndata: \ndata: 2</x></item>\n\n$")
	f.Retract("news", "a b")
	wantChunk(t, in, "^event: retract\nid: [^\n ]+\ndata: <retract id='a b'/>\n\n$")
}

// wantMatch wants the next n bytes to match.
func wantMatch(t *testing.T, in io.Reader, pattern string, n int) {
	t.Helper()
	got := make([]byte, n)
	if _, err := io.ReadFull(in, got); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(pattern).Match(got) {
		t.Fatalf("got %q, want %q", got, pattern)
	}
}

// wantChunk wants the next chunk to match: what is written together.
func wantChunk(t *testing.T, in *bufio.Reader, pattern string) {
	t.Helper()
	var n int
	if _, err := fmt.Fscanf(in, "%x\r\n", &n); err != nil {
		t.Fatal(err)
	}
	wantMatch(t, in, pattern, n)
	wantMatch(t, in, "\r\n", 2)
}

func TestHeartbeat(t *testing.T) {
	_, site := start(t, "heartbeat 20ms\nretry 1500ms", "news")
	stream := site.stream("/eventsource/news")
	stream.wantLine(":")
	stream.wantLine("retry: 1500")
	stream.wantSubscribed("news")
	for range 3 {
		stream.wantLine(":")
	}
}

func TestNamedEvents(t *testing.T) {
	f, site := start(t, "", "news", "taken")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.PublishAs("romeo@example.org", "news", "1", entry)
	stream.want("", "<item xmlns='http://jabber.org/protocol/pubsub' id='1' publisher='romeo@example.org'>"+entry+"</item>")
	f.Publish("news", "2", "")
	stream.want("", "<item xmlns='http://jabber.org/protocol/pubsub' id='2'/>")
	f.Publish("news", "<'&\n>", entry)
	stream.wantItem("&lt;&#39;&amp;&#xA;&gt;", entry)
	f.Retract("news", "1")
	stream.want("retract", "<retract id='1'/>")
	f.PurgeNode("news")
	stream.want("purge", "<purge node='news'/>")
	f.DeleteNode("news")
	stream.want("delete", "<delete node='news'/>")
	stream.wantOver()
	if res, _ := site.get("/eventsource/news"); res.StatusCode != http.StatusNotFound {
		t.Errorf("after it was deleted: %s", res.Status)
	}

	taken := site.stream("/eventsource/taken")
	taken.wantSubscribed("taken")
	f.EndSubscription("taken", f.Subscribers("taken")[0])
	taken.want("subscription", "<subscription node='taken' subscription='none'/>")
	taken.wantOver()
}

func TestMethods(t *testing.T) {
	f, site := start(t, "", "news")
	res, body := site.do(http.MethodHead, "/eventsource/news")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || body != "" {
		t.Errorf("HEAD: %s, %v, %q", res.Status, res.Header, body)
	}
	if res, _ := site.do(http.MethodHead, "/eventsource/none"); res.StatusCode != http.StatusNotFound {
		t.Errorf("HEAD of no node: %s", res.Status)
	}
	res, body = site.do(http.MethodOptions, "/eventsource/none")
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Allow") != "GET, HEAD, OPTIONS" || body != "" {
		t.Errorf("OPTIONS: %s, %v, %q", res.Status, res.Header, body)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, "PROPFIND"} {
		res, _ := site.do(method, "/eventsource/news")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %s, Allow %q", method, res.Status, res.Header.Get("Allow"))
		}
	}
	for _, s := range f.session().Received() {
		if strings.Contains(s, "<presence") {
			t.Errorf("presence is sent: %s", s)
		}
	}
}

func TestPathsThatAreNotOurs(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive("")+"\nrespond next")
	for _, path := range []string{"/", "/eventsource", "/eventsourcenews", "/Eventsource/news", "/x/eventsource/news"} {
		if res, body := site.get(path); res.StatusCode != http.StatusOK || body != "next" {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
	if res, _ := site.get("/eventsource/"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("the prefix alone: %s", res.Status)
	}
	site.load("handle_path /es/* {\n" + f.directive("prefix /") + "\n}\n" + f.directive("prefix /events"))
	site.stream("/es/news").wantSubscribed("news")
	site.stream("/events/news").wantSubscribed("news")
	if res, _ := site.get("/es/none"); res.StatusCode != http.StatusNotFound {
		t.Errorf("/es/none: %s", res.Status)
	}
}

func TestOneSubscriptionForManyStreams(t *testing.T) {
	f, site := start(t, "linger 50ms", "news")
	var streams []*events
	for range 20 {
		stream := site.stream("/eventsource/news")
		stream.wantSubscribed("news")
		streams = append(streams, stream)
	}
	f.Publish("news", "1", entry)
	for _, stream := range streams {
		stream.wantItem("1", entry)
	}
	if n := strings.Count(strings.Join(f.session().Received(), ""), "<subscribe "); n != 1 {
		t.Errorf("%d subscriptions were asked for", n)
	}
	for _, stream := range streams[1:] {
		stream.close()
	}
	f.Publish("news", "2", entry)
	streams[0].wantItem("2", entry)
	if n := len(f.Subscribers("news")); n != 1 {
		t.Errorf("%d subscribers", n)
	}
	streams[0].close()
	f.wantSubscribers("news", 0)
}

func TestLingerKeepsTheSubscription(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	at := stream.wantSubscribed("news").id
	stream.close()
	f.Publish("news", "1", entry) // nobody watches
	stream = site.stream("/eventsource/news", "Last-Event-ID", at)
	stream.wantSubscribed("news")
	stream.wantItem("1", entry)
	if n := strings.Count(strings.Join(f.session().Received(), ""), "subscribe "); n != 1 {
		t.Errorf("%d requests to subscribe or unsubscribe", n)
	}
}

// TestHeartbeatHasAMinimum: below it, a loop would do nothing else.
func TestHeartbeatHasAMinimum(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	site := newSite(t)
	if err := site.tryLoad(f.directive("heartbeat 9ms")); err == nil || !strings.Contains(err.Error(), "heartbeat must be 10ms at least") {
		t.Errorf("loading it: %v", err)
	}
	site.run(f.directive("heartbeat 10ms"))
}
