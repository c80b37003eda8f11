package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

func TestReload(t *testing.T) {
	f, site := start(t, "", "news", "flood")
	site.stall("/eventsource/flood")
	flooded := site.stream("/eventsource/flood")
	flooded.wantSubscribed("flood")
	f.flood("flood", flooded)
	flooded.close()
	var streams []*events
	for range 10 {
		stream := site.stream("/eventsource/news")
		stream.wantSubscribed("news")
		streams = append(streams, stream)
	}

	began := time.Now()
	site.load(f.directive("heartbeat 1s"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("to reload took %v", took)
	}
	f.Publish("news", "after", entry)
	var at string
	for _, stream := range streams {
		at = stream.wantItem("after", entry).id // though the config is gone
	}
	f.Publish("news", "later", entry)
	again := site.stream("/eventsource/news", "Last-Event-ID", at)
	again.wantSubscribed("news")
	again.wantItem("later", entry)

	for _, stream := range streams {
		if ev, err := stream.next(); err == nil && !strings.Contains(ev.data, "later") {
			t.Errorf("event %+v", ev)
		}
		stream.wantEnd()
	}
	wantSoon(t, "all streams of the config that is gone end", func() bool {
		return countLines(site.log(), "stream ended") == len(streams)+2
	})
	if took := time.Since(began); took > 11*time.Second {
		t.Errorf("the streams ended after %v", took)
	}
	if n := f.Binds(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	wantNoTrouble(t, site)
}

// TestReloadResumes resumes at once, while the stream that it replaces still
// runs.
func TestReloadResumes(t *testing.T) {
	f, site := start(t, "", "news")
	for i := range 5 {
		stream := site.stream("/eventsource/news")
		at := stream.wantSubscribed("news").id
		f.Publish("news", fmt.Sprint(i), entry)
		site.load(f.directive(fmt.Sprintf("retry %ds", i+1)))
		again := site.stream("/eventsource/news", "Last-Event-ID", at)
		again.wantSubscribed("news")
		again.wantItem(fmt.Sprint(i), entry)
	}
	if n := f.Binds(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestReloadToNothing drops the account when its last stream has ended.
func TestReloadToNothing(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	site.load("respond bye")
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
	stream.wantEnd()
	f.wantSubscribers("news", 0)
	wantSoon(t, "the session is closed", func() bool { return len(f.Sessions()) == 0 })
}

// TestReloadThatFails leaves everything as it was.
func TestReloadThatFails(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	for _, bad := range []string{
		f.directive("") + "\npubsub_eventsource /other* {\njid a@b\npassword x\nserver localhost:none\n}",
		f.directive("") + "\n" + strings.Replace(f.directive("nodes x"), f.ca, f.ca+".none", 1),
		f.directive("") + "\ntls /nonexistent /nonexistent",
	} {
		cfg := site.caddyfile(bad)
		if err := site.tryAdaptLoad(cfg); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
	site.stream("/eventsource/news").wantSubscribed("news")
	if n := f.Binds(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestAccountsAreShared(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, "handle_path /a/* {\n"+f.directive("prefix /")+"\n}\n"+
		"handle_path /b/* {\n"+f.directive("prefix /\nretry 1s\nlimits {\nnodes 5\n}")+"\n}\n"+
		"handle_path /c/* {\n"+f.directiveFor("gateway", "wrong", "prefix /")+"\n}\n"+
		"handle_path /d/* {\n"+f.directiveFor("other", "other-secret", "prefix /")+"\n}")
	site.stream("/a/news").wantSubscribed("news")
	site.stream("/b/news").wantSubscribed("news")
	if n := len(f.Subscribers("news")); n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	site.stream("/d/news").wantSubscribed("news")
	if n := len(f.Subscribers("news")); n != 2 {
		t.Errorf("%d subscriptions with another account", n)
	}
	if res, _ := site.get("/c/news"); res.StatusCode != 502 {
		t.Errorf("with another password: %s", res.Status)
	}
	if n := f.Binds(); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

// TestValidate wants a config to be checked without a connection.
func TestValidate(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	var cfg caddy.Config
	s := newSite(t)
	if err := caddy.StrictUnmarshalJSON(adapt(t, s.caddyfile(f.directive(""))), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&cfg); err != nil {
		t.Fatal(err)
	}
	// What would connect would do so within a moment.
	f.CreateNode("news", xmpptest.NodeConfig{})
	startCaddy(t, f.directive("")).stream("/eventsource/news").wantSubscribed("news")
	if n := f.Accepted(); n != 1 {
		t.Errorf("%d connections, want only that of the config that runs", n)
	}
}
