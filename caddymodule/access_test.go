package caddymodule_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// wantStatus wants a stream to be refused, or, if the status is 200, to begin.
func (s *site) wantStatus(path string, status int, header ...string) {
	s.t.Helper()
	res, body := s.do(http.MethodHead, path, header...)
	if res.StatusCode != status {
		s.t.Errorf("%s %q: %s %s, want %d", path, header, res.Status, body, status)
	}
}

func TestOnlyOpenNodes(t *testing.T) {
	f, site := start(t, "", "open")
	for _, model := range []string{"whitelist", "presence", "roster", "authorize"} {
		f.CreateNode(model, xmpptest.NodeConfig{AccessModel: model})
		f.CreateNode("member-"+model, xmpptest.NodeConfig{AccessModel: model, Members: []string{"gateway@localhost"}})
	}
	site.stream("/eventsource/open").wantSubscribed("open")
	for _, model := range []string{"whitelist", "presence", "roster", "authorize"} {
		for _, node := range []string{model, "member-" + model} {
			f.Publish(node, "1", "<secret xmlns='urn:x'/>")
			res, body := site.get("/eventsource/" + node)
			if res.StatusCode != http.StatusForbidden || strings.Contains(body, "secret") {
				t.Errorf("%s: %s %s", node, res.Status, body)
			}
		}
	}
	if n := strings.Count(strings.Join(f.session().Received(), ""), "<subscribe "); n != 1 {
		t.Errorf("%d nodes were subscribed to, want the open one only", n)
	}
}

// TestNodeIsClosed has streams of a node that stops being open.
func TestNodeIsClosed(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	member := []string{"gateway@localhost"}
	f.CreateNode("told", xmpptest.NodeConfig{NotifyConfig: true, Members: member})
	f.CreateNode("silent", xmpptest.NodeConfig{Members: member})
	f.CreateNode("others", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive("retry 1s"))
	var streams []*events
	for _, node := range []string{"told", "silent", "others"} {
		stream := site.stream("/eventsource/" + node)
		stream.wantSubscribed(node)
		streams = append(streams, stream)
	}
	wantClosed := func(i int, node string) {
		t.Helper()
		streams[i].want("subscription", "<subscription node='"+node+"' subscription='none'/>")
		streams[i].wantOver()
		site.wantStatus("/eventsource/"+node, http.StatusForbidden)
	}
	f.SetAccessModel("told", "whitelist")
	wantClosed(0, "told")
	// A service that tells nobody is asked again with each session.
	f.SetAccessModel("silent", "whitelist")
	f.SetAccessModel("others", "whitelist")
	f.session().Reset()
	wantClosed(1, "silent")
	wantClosed(2, "others")
}

// TestNothingLeaksBeforeTheAnswer has a node that was closed while the link was
// down, and a service that takes its time to say so.
func TestNothingLeaksBeforeTheAnswer(t *testing.T) {
	f, holding, held := startReticent(t)
	f.CreateNode("closed", xmpptest.NodeConfig{Members: []string{"gateway@localhost"}})
	f.CreateNode("open", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive(""))
	closed, open := site.stream("/eventsource/closed"), site.stream("/eventsource/open")
	closed.wantSubscribed("closed")
	open.wantSubscribed("open")

	holding.Store(true)
	f.SetAccessModel("closed", "whitelist")
	f.session().Reset()
	answer := <-held
	f.Publish("closed", "1", "<secret xmlns='urn:x'/>")
	f.Publish("open", "1", entry)
	open.wantItem("1", entry) // and what came before it was read, too
	answer()
	closed.want("subscription", "<subscription node='closed' subscription='none'/>")
	closed.wantOver()
}

func TestAllowedNodes(t *testing.T) {
	t.Setenv("CADDYMODULE_TEST_EMPTY", "")
	f, site := start(t, "")
	closed := xmpptest.NodeConfig{AccessModel: "whitelist", Members: []string{"gateway@localhost"}}
	for _, node := range []string{"news", "newsletter", "public/", "public/a/b", "public", "a-x", "secret/public/a", "*", "{env.NONE}"} {
		f.CreateNode(node, closed)
	}
	f.CreateNode("public/strangers", xmpptest.NodeConfig{AccessModel: "whitelist"})
	site.load(f.directive("nodes news public/* *-x {env.NONE} \"{env.CADDYMODULE_TEST_EMPTY}*\""))
	for path, status := range map[string]int{
		"news": 200, "public/": 200, "public/a/b": 200, "a-x": 200,
		"newsletter": 403, "public": 403, "secret/public/a": 403, "*": 403, "%7Benv.NONE%7D": 403, "none": 403,
		"public/strangers": 403, "public/none": 404, "NEWS": 403,
	} {
		site.wantStatus("/eventsource/"+path, status)
	}
	stream := site.stream("/eventsource/public/a/b")
	stream.wantSubscribed("public/a/b")
	f.Publish("public/a/b", "1", entry)
	stream.wantItem("1", entry)
}

// TestAllowedByUser has patterns with what others choose.
func TestAllowedByUser(t *testing.T) {
	users := []string{"juliet", "*", "a/b", "..", "juliet*"}
	f := startFake(t, xmpptest.Config{})
	for _, user := range append(users, "romeo", "", "a") {
		f.CreateNode("users/"+user+"/inbox", xmpptest.NodeConfig{})
	}
	f.CreateNode("users/juliet/a/b", xmpptest.NodeConfig{})
	f.CreateNode("users/julietta/inbox", xmpptest.NodeConfig{})
	site := startCaddy(t, basicAuth("", users...)+f.directive("nodes users/{http.auth.user.id}/* x/{http.auth.user.none}/* y/{http.none}*"))
	for _, tt := range []struct {
		user, node string
		status     int
	}{
		{"juliet", "users/juliet/inbox", 200},
		{"juliet", "users/juliet/a/b", 200},
		{"juliet", "users/romeo/inbox", 403},
		{"juliet", "users/julietta/inbox", 403},
		{"juliet", "users//inbox", 403},
		{"juliet", "x//inbox", 403},
		{"juliet", "x/{http.auth.user.none}/inbox", 403},
		{"juliet", "y/", 403},
		{"*", "users/juliet/inbox", 403},
		{"*", "users/*/inbox", 200},
		{"juliet*", "users/julietta/inbox", 403},
		{"a/b", "users/a/b/inbox", 403},
		{"a/b", "users/a/inbox", 403},
		{"..", "users/juliet/inbox", 403},
	} {
		path := strings.NewReplacer("{", "%7B", "}", "%7D", "*", "%2A").Replace(tt.node)
		site.wantStatus("/eventsource/"+path, tt.status, authorization(tt.user)...)
	}
	// Without anybody who is logged in, nobody is meant.
	site.load(f.directive("nodes users/{http.auth.user.id}/*"))
	for _, node := range []string{"users//inbox", "users/juliet/inbox", "users/%7Bhttp.auth.user.id%7D/inbox"} {
		site.wantStatus("/eventsource/"+node, http.StatusForbidden)
	}
}

// TestClosedWhileCatchingUp has a node that is closed after a stream was
// admitted, and before it begins: it comes with the ID of another instance, and
// waits until we know what that knew.
func TestClosedWhileCatchingUp(t *testing.T) {
	var holding atomic.Bool
	held := make(chan func(), 1) // answers, late, what was asked
	f := startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !isAbout(iq, "news") || !holding.Swap(false) {
			return false
		}
		held <- func() { s.Fail(iq, xmpptest.StanzaError{Type: "wait", Condition: "resource-constraint"}) }
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true, Members: []string{"gateway@localhost", "other@localhost"}})
	site := startCaddy(t, f.directive("")+"\n"+f.directiveFor("other", "other-secret", "prefix /b/"))
	elsewhere := site.stream("/b/news")
	elsewhere.wantSubscribed("news")
	f.publishAll("news", "1")
	at := elsewhere.wantItems("1").id
	f.Retract("news", "1")
	elsewhere.wantRetract("1")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")

	holding.Store(true)
	late := site.stream("/eventsource/news", "Last-Event-ID", at)
	wantSoon(t, "we ask what the other knew", func() bool { return len(held) > 0 })
	answer := <-held
	f.SetAccessModel("news", "whitelist")
	stream.want("subscription", "<subscription node='news' subscription='none'/>")
	f.Publish("news", "2", "<secret xmlns='urn:x'/>")
	answer()
	late.wantEnd()
}

// startReticent starts a service that, while holding is set, takes its time to
// say that the node "closed" is: until what comes from held is called.
func startReticent(t *testing.T) (f *fake, holding *atomic.Bool, held chan func()) {
	t.Helper()
	holding, held = new(atomic.Bool), make(chan func(), 1)
	f = startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !holding.Load() || iq.Payload.Attr("node") != "closed" || !strings.HasSuffix(iq.Payload.XMLName.Space, "disco#info") {
			return false
		}
		held <- func() {
			s.Reply(iq, "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data' type='result'>"+
				"<field var='pubsub#access_model'><value>whitelist</value></field></x></query>")
		}
		return true
	}})
	return f, holding, held
}
