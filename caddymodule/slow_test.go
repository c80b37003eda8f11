package caddymodule_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// big is a payload that a few of fill all buffers between us and a client.
var big = "<x xmlns='urn:x'>" + strings.Repeat("x", 500_000) + "</x>"

// floodEvents is how many of them that is, some megabytes.
const floodEvents = 14

// stall opens a stream and never reads it.
func (s *site) stall(path string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+s.addr+"\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	var first [16]byte
	if _, err := io.ReadFull(conn, first[:]); err != nil || string(first[:]) != "HTTP/1.1 200 OK\r" {
		s.t.Fatalf("%q, %v", first, err)
	}
	return conn
}

// flood publishes more than any client that does not read can take, and wants
// stream to get all of it.
func (f *fake) flood(node string, stream *events) {
	f.t.Helper()
	for i := range floodEvents {
		id := fmt.Sprint("flood", i)
		f.Publish(node, id, big)
		stream.wantItem(id, big)
	}
}

func TestSlowClientCostsNobodyElse(t *testing.T) {
	f, site := start(t, "", "news")
	for range 3 {
		site.stall("/eventsource/news")
	}
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.flood("news", stream)
}

// TestSlowClientCatchesUp has a client that fell behind, but not off the log:
// it goes on reading and misses nothing.
func TestSlowClientCatchesUp(t *testing.T) {
	f, site := start(t, "", "news")
	slow := site.stream("/eventsource/news")
	slow.wantSubscribed("news")
	fast := site.stream("/eventsource/news")
	fast.wantSubscribed("news")
	f.flood("news", fast)
	for i := range floodEvents {
		slow.wantItem(fmt.Sprint("flood", i), big)
	}
}

// TestLaggedStreamEnds has one that fell off the log: it ends, and who comes
// back with the ID of something that is gone is told.
func TestLaggedStreamEnds(t *testing.T) {
	f, site := start(t, "", "news")
	slow := site.stream("/eventsource/news")
	at := slow.wantSubscribed("news").id
	fast := site.stream("/eventsource/news")
	fast.wantSubscribed("news")
	f.flood("news", fast)
	for i := range 1100 {
		f.Publish("news", fmt.Sprint(i), entry)
		fast.wantItem(fmt.Sprint(i), entry)
	}
	n := 0
	for ; ; n++ {
		ev, err := slow.next()
		if err == io.EOF {
			t.Error("the stream ended cleanly")
		}
		if err != nil {
			break
		}
		if want := fmt.Sprint("id='flood", n, "'"); !strings.Contains(ev.data[:100], want) {
			t.Fatalf("event %d is %.100s", n, ev.data)
		}
	}
	stream := site.stream("/eventsource/news", "Last-Event-ID", at)
	stream.wantSubscribed("news")
	stream.wantGap("news", "expired")
}

// TestClientsComeAndGo leaves the rest to the search for goroutines in
// TestMain.
func TestClientsComeAndGo(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	for i := range 10 {
		f.CreateNode(fmt.Sprint("n", i), xmpptest.NodeConfig{})
	}
	site := startCaddy(t, f.directive("linger 1ms"))
	var clients sync.WaitGroup
	for c := range 30 {
		clients.Go(func() {
			for i := range 10 {
				conn, err := net.Dial("tcp", site.addr)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(conn, "GET /eventsource/n%d HTTP/1.1\r\nHost: %s\r\n\r\n", (c+i)%10, site.addr)
				if i%2 == 0 {
					var head [100]byte
					if _, err := io.ReadFull(conn, head[:]); err != nil || !strings.HasPrefix(string(head[:]), "HTTP/1.1 200") {
						t.Errorf("%q %v", head, err)
					}
				}
				conn.Close()
			}
		})
	}
	clients.Wait()
	for i := range 10 {
		f.wantSubscribers(fmt.Sprint("n", i), 0)
	}
	if n := f.Binds(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	wantNoTrouble(t, site)
}

// wantNoTrouble wants nothing to be logged about panics and such.
func wantNoTrouble(t *testing.T, s *site) {
	t.Helper()
	s.wantLog(0, `"level":"error"`)
	s.wantLog(0, "panic")
}
