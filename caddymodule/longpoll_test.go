package caddymodule_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// poll makes a long poll and wants an answer that matches and has a length.
func (s *site) poll(path, accept, lastEventID, pattern string) {
	s.t.Helper()
	header := []string{"X-Requested-With", "XMLHttpRequest", "Accept", accept}
	if lastEventID != "" {
		header = append(header, "Last-Event-ID", lastEventID)
	}
	if strings.Contains(path, "?") {
		header = header[2:]
	}
	s.wantPoll(path, header, pattern)
}

func (s *site) wantPoll(path string, header []string, pattern string) {
	s.t.Helper()
	res, body := s.get(path, header...)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Errorf("%s: %s %s", path, res.Status, body)
	}
	if length := res.Header.Get("Content-Length"); length != strconv.Itoa(len(body)) {
		s.t.Errorf("%d bytes with Content-Length %s", len(body), length)
	}
	if !regexp.MustCompile(pattern).MatchString(body) {
		s.t.Errorf("%s %q: %q, want %q", path, header, body, pattern)
	}
}

const (
	eventStream = "text/event-stream"
	subscribed  = "^event: subscription\nid: [^\n]+\ndata: <subscription node='news' subscription='subscribed'/>\n\n$"
)

func TestLongPoll(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	at := stream.wantSubscribed("news").id
	// The first poll learns where to go on from, at once.
	site.poll("/eventsource/news", eventStream, "", subscribed)
	site.poll("/eventsource/news?transport=longpoll", eventStream, "", subscribed)
	f.Publish("news", "1", "<a xmlns='urn:x'/>")
	f.Publish("news", "2", "<b xmlns='urn:x'/>")
	stream.wantItem("1", "<a xmlns='urn:x'/>")
	two := stream.wantItem("2", "<b xmlns='urn:x'/>").id
	both := "^id: 1,[^\n]+\ndata: <item [^\n]+<a xmlns='urn:x'/></item>\n\nid: 2,[^\n]+\ndata: <item [^\n]+<b xmlns='urn:x'/></item>\n\n$"
	site.poll("/eventsource/news", eventStream, at, both)
	site.poll("/eventsource/news", "*/*", at, both)
	site.poll("/eventsource/news?transport=longpoll&lastEventId="+at, "*/*", "", both)
	site.poll("/eventsource/news", eventStream, "garbage", "^event: gap\n[^\v]*unknown-id[^\v]*id: 1,[^\v]*id: 2,")
	site.wantStatus("/eventsource/none", 404, "X-Requested-With", "XMLHttpRequest")
	site.wantStatus("/eventsource/news", 200, "X-Requested-With", "XMLHttpRequest") // HEAD does not wait

	// One that waits is answered when something comes.
	var waiting sync.WaitGroup
	waiting.Go(func() {
		site.poll("/eventsource/news", "*/*", two, "^event: retract\nid: [^\n]+\ndata: <retract id='1'/>\n\n$")
	})
	f.Retract("news", "1")
	waiting.Wait()
}

// TestWhatTakesLong has polls to which nothing comes, and meanwhile a service
// that does not answer.
func TestWhatTakesLong(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	mute := startFake(t, xmpptest.Config{OnIQ: func(_ *xmpptest.Session, iq xmpptest.IQ) bool {
		return silent.Load() && strings.HasPrefix(iq.To, "pubsub.")
	}})
	mute.CreateNode("news", xmpptest.NodeConfig{})
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive("heartbeat 1s")+"\n"+mute.directive("prefix /mute/"))
	stream := site.stream("/eventsource/news")
	at := stream.wantSubscribed("news").id
	began := time.Now()
	var polls sync.WaitGroup
	for _, poll := range [][3]string{
		{eventStream, at, "^id: ,[^\n]+\n\n$"}, // keeps the place
		{"*/*", at, "^$"},
		{"*/*", "", "^$"},
	} {
		polls.Go(func() { site.poll("/eventsource/news", poll[0], poll[1], poll[2]) })
	}
	site.wantProblem("/mute/news", http.StatusGatewayTimeout, "news", "")
	silent.Store(false)
	site.stream("/mute/news").wantSubscribed("news")

	polls.Wait()
	if took := time.Since(began); took < 24*time.Second || took > 28*time.Second {
		t.Errorf("the polls took %v", took)
	}
}
