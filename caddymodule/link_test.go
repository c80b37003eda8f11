package caddymodule_test

import (
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// wantHeld wants the stream to say that it waits.
func (e *events) wantHeld() {
	e.t.Helper()
	e.wantLine(":")
	e.wantLine("retry: 3000")
	e.wantLine(": waiting for the XMPP server")
}

func TestDeadServerAtStart(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.SetRefusing(true)
	f.CreateNode("news", xmpptest.NodeConfig{})
	f.CreateNode("closed", xmpptest.NodeConfig{AccessModel: "whitelist"})
	site := startCaddy(t, f.directive("heartbeat 100ms"))
	held, refused, none := site.stream("/eventsource/news"), site.stream("/eventsource/closed"), site.stream("/eventsource/none")
	for _, stream := range []*events{held, refused, none} {
		stream.wantHeld()
		stream.wantLine(":")
	}
	f.SetRefusing(false)
	held.wantSubscribed("news")
	f.Publish("news", "1", entry)
	held.wantItem("1", entry)
	refused.wantEnd()
	none.wantEnd()
	site.wantStatus("/eventsource/closed", 403)
	site.wantStatus("/eventsource/none", 404)
}

func TestServerGoesAndComesBack(t *testing.T) {
	f, site := start(t, "", "news", "gone")
	stream, gone := site.stream("/eventsource/news"), site.stream("/eventsource/gone")
	at := stream.wantSubscribed("news").id
	gone.wantSubscribed("gone")
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
	f.SetRefusing(true)
	f.session().Reset()
	stream.wantLine(": the link to the XMPP server is lost")
	late := site.stream("/eventsource/news", "Last-Event-ID", at)
	late.wantHeld()
	f.DeleteNode("gone")
	f.SetRefusing(false)
	f.Publish("news", "2", entry)
	stream.wantItem("2", entry)
	if got := strings.Join(stream.comments, "|"); !strings.HasSuffix(got, "the link to the XMPP server is back") {
		t.Errorf("comments: %s", got)
	}
	late.wantSubscribed("news")
	late.wantItem("1", entry)
	late.wantItem("2", entry)
	gone.want("subscription", "<subscription node='gone' subscription='none'/>")
	gone.wantOver()
}

func TestWrongPassword(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directiveFor("gateway", "hunter2", ""))
	for range 5 {
		site.wantProblem("/eventsource/news", 502, "news", "")
	}
	site.wantLog(1, "rejects the account")
	// Who the gateway is and where its server is concerns no browser.
	if _, body := site.get("/eventsource/news"); strings.Contains(body, "gateway") || strings.Contains(body, f.Addr()) {
		t.Errorf("the browser is told %s", body)
	}
	if n := f.Logins(); n != 1 {
		t.Errorf("%d attempts to log in", n)
	}
	for line := range strings.Lines(site.log()) {
		if strings.Contains(line, "hunter2") && !strings.Contains(line, "adjusted config") {
			t.Errorf("the password is logged: %s", line)
		}
	}
}
