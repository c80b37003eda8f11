package caddymodule_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

const discoInfo = "http://jabber.org/protocol/disco#info"

// isAbout reports whether iq asks for the access model of the node.
func isAbout(iq xmpptest.IQ, node string) bool {
	return iq.Payload.XMLName.Space == discoInfo && iq.Payload.Attr("node") == node
}

// isSubscribe reports whether iq asks for a subscription.
func isSubscribe(iq xmpptest.IQ) bool { return strings.Contains(iq.Raw, "<subscribe ") }

// TestServiceRestarts has a service that is back later than its server.
func TestServiceRestarts(t *testing.T) {
	var down atomic.Bool
	var refused atomic.Int32
	f := startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !down.Load() || !isSubscribe(iq) && !isAbout(iq, "news") {
			return false
		}
		s.Fail(iq, xmpptest.StanzaError{Type: "cancel", Condition: "service-unavailable"})
		refused.Add(1)
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive(""))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	down.Store(true)
	f.session().Reset()
	wantSoon(t, "the service is asked", func() bool { return refused.Load() > 0 })
	held := site.stream("/eventsource/news")
	held.wantHeld()
	down.Store(false)
	held.wantSubscribed("news")
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
	held.wantItem("1", entry)
}

// TestServiceThatCannotSay has a node whose access model could not be told for
// a while, and a link that is lost after that.
func TestServiceThatCannotSay(t *testing.T) {
	var busy atomic.Bool
	var asked atomic.Int32
	f := startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !busy.Load() || !isAbout(iq, "news") {
			return false
		}
		s.Fail(iq, xmpptest.StanzaError{Type: "wait", Condition: "resource-constraint"})
		asked.Add(1)
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true})
	site := startCaddy(t, f.directive("heartbeat 100ms"))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	busy.Store(true)
	f.SetAccessModel("news", "open") // which makes us ask
	wantSoon(t, "the service is asked", func() bool { return asked.Load() > 0 })
	for range 10 {
		stream.wantLine(":")
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("the service was asked %d times within a second", n)
	}
	res, body := site.get("/eventsource/news")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v %s", res.Status, res.Header, body)
	}
	busy.Store(false)
	f.session().Reset()
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
}

// TestClientsThatHangUp has many that ask a service which does not answer, and
// do not wait for it.
func TestClientsThatHangUp(t *testing.T) {
	var asked atomic.Int32
	f := startFake(t, xmpptest.Config{OnIQ: func(_ *xmpptest.Session, iq xmpptest.IQ) bool {
		silent := strings.HasPrefix(iq.Payload.Attr("node"), "silent")
		if silent {
			asked.Add(1)
		}
		return silent
	}})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive(""))
	site.stream("/eventsource/news").wantSubscribed("news")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var clients sync.WaitGroup
	transport := &http.Transport{DisableKeepAlives: true}
	for i := range 100 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.url(fmt.Sprint("/eventsource/silent", i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			if res, err := transport.RoundTrip(req); err == nil {
				res.Body.Close()
				t.Error(res.Status)
			}
		})
	}
	wantSoon(t, "as much is asked as may be at a time", func() bool { return asked.Load() >= 16 })
	hangUp()
	clients.Wait()
	transport.CloseIdleConnections()
	f.CreateNode("late", xmpptest.NodeConfig{})
	soon, cancel := context.WithTimeout(t.Context(), 5*time.Second) // half of what a request of ours may take
	defer cancel()
	res := site.send(soon, http.MethodHead, "/eventsource/late")
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
}

// TestErrorRoutesByStatus has a site without a name, whose error routes are for
// one status.
func TestErrorRoutesByStatus(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("closed", xmpptest.NodeConfig{AccessModel: "whitelist"})
	site := newSite(t)
	config := site.caddyfile(f.directive("") + "\nhandle_errors 404 {\nrespond \"custom {err.status_code}\"\n}")
	if err := site.tryAdaptLoad(strings.Replace(config, "http://127.0.0.1:", "http://:", 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	if res, body := site.get("/eventsource/none"); res.StatusCode != 404 || body != "custom 404" {
		t.Errorf("%s %s", res.Status, body)
	}
	site.wantProblem("/eventsource/closed", 403, "closed", "")
}

// TestNodeIsGone has a service that does not tell that a node is deleted.
func TestNodeIsGone(t *testing.T) {
	var gone atomic.Bool
	f := startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !gone.Load() || !isAbout(iq, "news") {
			return false
		}
		s.Fail(iq, xmpptest.StanzaError{Type: "cancel", Condition: "item-not-found"})
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true})
	site := startCaddy(t, f.directive(""))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	gone.Store(true)
	f.SetAccessModel("news", "open") // which makes us ask
	stream.want("subscription", "<subscription node='news' subscription='none'/>")
	stream.wantOver()
	site.wantProblem("/eventsource/news", 404, "news", "item-not-found")
}

// TestOtherAuthority has a reload after the file of the authorities changed.
func TestOtherAuthority(t *testing.T) {
	f, other := startFake(t, xmpptest.Config{}), startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, f.directive(""))
	site.stream("/eventsource/news").wantSubscribed("news")
	if err := os.WriteFile(f.ca, other.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	site.load(f.directive(""))
	site.stream("/eventsource/news").wantHeld()
	site.wantLog(1, "unknown authority")
}

// TestAnswerOfBefore has a service that told the access model just before it
// changed.
func TestAnswerOfBefore(t *testing.T) {
	var holding atomic.Bool
	held := make(chan func(), 1) // answers, late, what was asked
	f := startFake(t, xmpptest.Config{OnIQ: func(s *xmpptest.Session, iq xmpptest.IQ) bool {
		if !isAbout(iq, "news") || !holding.Swap(false) {
			return false
		}
		held <- func() {
			s.Reply(iq, "<query xmlns='"+discoInfo+"'><x xmlns='jabber:x:data' type='result'>"+
				"<field var='pubsub#access_model'><value>open</value></field></x></query>")
		}
		return true
	}})
	f.CreateNode("news", xmpptest.NodeConfig{NotifyConfig: true, Members: []string{"gateway@localhost"}})
	site := startCaddy(t, f.directive(""))
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	session := f.session()
	subscribes := func() int { return strings.Count(strings.Join(session.Received(), ""), "<subscribe ") }

	holding.Store(true)
	f.SetAccessModel("news", "open") // which makes us ask
	answer := <-held
	before := subscribes()
	f.SetAccessModel("news", "whitelist")
	wantSoon(t, "the change was seen", func() bool { return subscribes() > before })
	answer()
	f.Publish("news", "1", "<secret xmlns='urn:x'/>")
	stream.want("subscription", "<subscription node='news' subscription='none'/>")
	stream.wantOver()
}
