package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// Why streams end, as it is logged.
const (
	whyGone    = "the client went away"
	whyOver    = "there will be no more events"
	whyReload  = "the config was replaced"
	whyExit    = "the process exits"
	whyLagged  = "the stream fell behind what the log retains"
	notAnyMore = 20 * time.Second // streams are cut by then whose client does not read
)

// An ended is what is logged when a stream ends.
type ended struct {
	Level, Logger, Msg, Node, Reason string
	Nodes                            int
	Client                           string `json:"client_ip"`
	Duration                         float64
	Bytes                            int64
}

// endings returns what is logged of streams whose first node is this, or of all.
func (s *site) endings(node string) (list []ended) {
	s.t.Helper()
	for line := range strings.Lines(s.log()) {
		var e ended
		if !strings.Contains(line, "stream ended") || !strings.HasSuffix(line, "\n") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		if node == "" || strings.Contains(e.Node, `"`+node+`"`) {
			list = append(list, e)
		}
	}
	return list
}

// wantEndings waits until so many are logged, and wants there to be no more.
func (s *site) wantEndings(node string, n int) []ended {
	s.t.Helper()
	wantSoon(s.t, fmt.Sprintf("%d streams of %q end", n, node), func() bool { return len(s.endings(node)) >= n })
	list := s.endings(node)
	if len(list) != n {
		s.t.Errorf("%d ends of streams of %q are logged, want %d: %+v", len(list), node, n, list)
	}
	return list
}

// wantEnding wants one to be logged, of a stream that sent so many bytes.
func (s *site) wantEnding(node, reason string, nodes, bytes int) {
	s.t.Helper()
	e := s.wantEndings(node, 1)[0]
	if e.Level != "debug" || e.Logger != "http.handlers.pubsub_eventsource" || e.Msg != "stream ended" ||
		e.Client != "127.0.0.1" || e.Nodes != nodes || e.Reason != reason {
		s.t.Errorf("logged: %+v, want %d nodes, reason %q", e, nodes, reason)
	}
	// The frames of the chunks may be counted, or not.
	if sent := int(e.Bytes); sent < bytes || sent > bytes+200 {
		s.t.Errorf("%s: %d bytes are logged, %d came", node, e.Bytes, bytes)
	}
	if e.Duration <= 0 || e.Duration > patience.Seconds() {
		s.t.Errorf("%s: the duration is %v", node, e.Duration)
	}
}

// TestEndIsLoggedInEveryWay has what is logged of streams that end soon.
func TestEndIsLoggedInEveryWay(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	causes := []string{"gone", "deleted"}
	all := make(map[string]*tape) // by node
	for _, cause := range causes {
		for _, w := range ways {
			f.CreateNode(cause+"-"+w.name, xmpptest.NodeConfig{})
		}
	}
	f.CreateNode("zzz", xmpptest.NodeConfig{})
	s := startEverywhere(t, f.directive("heartbeat 1h\nlinger 1ms"))
	for _, w := range ways {
		for _, cause := range causes {
			node := cause + "-" + w.name
			tp := &tape{client: s.open(w, "/eventsource/?node="+node+"&node=zzz")}
			tp.until("node='zzz'")
			tp.until("\n")
			f.publishAll(node, "1")
			tp.until("id='1'")
			tp.until("\n")
			all[node] = tp
		}
	}
	for _, w := range ways {
		gone := all["gone-"+w.name]
		gone.leave()
		s.wantEnding("gone-"+w.name, whyGone, 2, gone.b.Len())
		deleted := all["deleted-"+w.name]
		f.DeleteNode("deleted-" + w.name)
		deleted.until("")
		s.wantEnding("deleted-"+w.name, whyOver, 2, deleted.b.Len())
	}
	f.wantSubscribers("zzz", 0)
	s.wantEndings("", len(all))
	wantNoTrouble(t, s.site)
}

// TestLaggedInEveryWay has streams that fall off the log.
func TestLaggedInEveryWay(t *testing.T) {
	f, s := startEverywhereWith(t, "", "news")
	all := s.openAll("/eventsource/news")
	fast := s.stream("/eventsource/news")
	fast.wantSubscribed("news")
	f.flood("news", fast)
	for i := range 1100 {
		f.Publish("news", fmt.Sprint(i), entry)
		fast.wantItem(fmt.Sprint(i), entry)
	}
	for _, c := range all {
		c.wantSubscribed("news")
		c.wantFloodThenEnd()
	}
	for _, e := range s.wantEndings("news", len(ways)) {
		if e.Reason != whyLagged || e.Bytes < 100 || e.Bytes > int64(floodEvents*len(big)) {
			t.Errorf("logged: %+v", e)
		}
	}
}

// wantFloodThenEnd wants a part of a flood without a gap, and that the stream
// is aborted after it.
func (c *client) wantFloodThenEnd() {
	c.t.Helper()
	for n := 0; ; n++ {
		ev, err := c.next()
		switch {
		case err == nil && strings.Contains(ev.data[:min(100, len(ev.data))], fmt.Sprint("id='flood", n, "'")):
			continue
		case err == nil:
			c.t.Errorf("%s: event %d is %.100s", c.way.name, n, ev.data)
		case err == io.EOF && c.way.proto != "HTTP/1.0":
			c.t.Errorf("%s: the stream ended cleanly", c.way.name)
		}
		return
	}
}

// stallAll opens streams in every way that are never read.
func (s *everywhere) stallAll(path string) {
	s.t.Helper()
	s.stalls = true
	s.openAll(path)
	s.stalls = false
}

// TestReloadInEveryWay has clients that read, and clients that do not.
func TestReloadInEveryWay(t *testing.T) {
	f, s := startEverywhereWith(t, "linger 1ms", "flood", "news")
	s.stallAll("/eventsource/flood")
	fast := s.stream("/eventsource/flood")
	fast.wantSubscribed("flood")
	f.flood("flood", fast)
	fast.close()
	live := s.openAll("/eventsource/news")
	for _, c := range live {
		c.wantSubscribed("news")
	}
	began := time.Now()
	s.reloadAll("respond bye")
	f.Publish("news", "after", entry)
	for _, c := range live {
		c.wantItem("after", entry) // though the config is gone
	}
	for _, c := range live {
		c.wantAborted()
	}
	s.wantEndings("flood", len(ways)+1)
	if took := time.Since(began); took > 11*time.Second {
		t.Errorf("the streams ended after %v", took)
	}
	for _, e := range s.wantEndings("news", len(ways)) {
		if e.Reason != whyReload || e.Bytes < 250 || e.Bytes > 500 {
			t.Errorf("logged: %+v", e)
		}
	}
	f.wantSubscribers("flood", 0)
	f.wantSubscribers("news", 0)
	wantSoon(t, "the session is closed", func() bool { return len(f.Sessions()) == 0 })
	wantNoTrouble(t, s.site)
}

// TestExitInEveryWay has many clients that read, and some that do not.
func TestExitInEveryWay(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("flood", xmpptest.NodeConfig{MaxItems: 1})
	f.CreateNode("news", xmpptest.NodeConfig{})
	child := startChild(t, "respond soon")
	// Its globals are those of one site.
	child.globals, child.addr = "", freeAddr(t)
	s := everywhereOf(t, child.site)
	child.reload(s.sites(f.directive("")))
	s.stallAll("/eventsource/flood")
	s.stallAll("/eventsource/flood")
	fast := s.stream("/eventsource/flood")
	fast.wantSubscribed("flood")
	f.flood("flood", fast)
	var live []*client
	for range 29 {
		live = append(live, s.openAll("/eventsource/news")...)
	}
	for _, c := range live {
		c.wantSubscribed("news")
	}
	child.exit()
	fast.wantGoodbye()
	for _, c := range live {
		c.wantAborted()
		c.wantRetries()
	}
	s.wantEndings("flood", 2*len(ways)+1)
	for _, e := range s.wantEndings("news", len(live)) {
		if e.Reason != whyExit || e.Bytes < 100 || e.Bytes > 400 {
			t.Errorf("logged: %+v", e)
		}
	}
	f.wantSubscribers("news", 0)
	f.wantSubscribers("flood", 0)
	wantSoon(t, "the session is closed", func() bool { return len(f.Sessions()) == 0 })
}

// wantRetries wants a later reconnection time to have come last.
func (c *client) wantRetries() {
	c.t.Helper()
	var first, last int
	if _, err := fmt.Sscan(strings.Join(c.retries, " "), &first, &last); err != nil || first != 3000 || last < 3000 || last > 8000 || len(c.retries) != 2 {
		c.t.Errorf("%s: reconnection times %v", c.way.name, c.retries)
	}
}

// TestWhoDoesNotReadIsCut has clients that do not read for long. Others get all
// that there is meanwhile.
func TestWhoDoesNotReadIsCut(t *testing.T) {
	f, s := startEverywhereWith(t, "", "news")
	s.stallAll("/eventsource/news")
	live := s.openAll("/eventsource/news")
	for _, c := range live {
		c.wantSubscribed("news")
	}
	late := s.openAll("/eventsource/news") // who go on reading in time
	began := time.Now()
	for i := range floodEvents {
		f.Publish("news", fmt.Sprint("flood", i), big)
		for _, c := range live {
			c.wantItem(fmt.Sprint("flood", i), big)
		}
	}
	if took := time.Since(began); took > notAnyMore/2 {
		t.Errorf("it took %v", took)
	}
	for _, c := range late {
		c.wantSubscribed("news")
		for i := range floodEvents {
			c.wantItem(fmt.Sprint("flood", i), big)
		}
	}
	for _, e := range s.wantEndings("news", len(ways)) {
		if d := time.Duration(e.Duration * float64(time.Second)); d < notAnyMore || d > notAnyMore+8*time.Second {
			t.Errorf("a stream was cut after %v: %+v", d, e)
		}
	}
	f.Publish("news", "last", entry)
	for _, c := range append(live, late...) {
		c.wantItem("last", entry)
	}
	wantNoTrouble(t, s.site)
}
