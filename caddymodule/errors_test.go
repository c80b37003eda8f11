package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// wantProblem wants an error with a body that names the node and the condition.
func (s *site) wantProblem(path string, status int, node, condition string) {
	s.t.Helper()
	res, body := s.get(path)
	var p struct {
		Title, Detail, Node, Condition string
		Status                         int
	}
	err := json.Unmarshal([]byte(body), &p)
	if res.StatusCode != status || res.Header.Get("Content-Type") != "application/problem+json" || err != nil ||
		p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" || p.Node != node || p.Condition != condition {
		s.t.Errorf("%s: %s %s, %s; want %d, node %q, condition %q", path, res.Status, res.Header.Get("Content-Type"), body, status, node, condition)
	}
	if res.Header.Get("Access-Control-Allow-Origin") != "*" {
		s.t.Errorf("%s: %s: without a CORS header", path, res.Status)
	}
}

// answers has the service answer with an error to whoever subscribes to a node
// whose name is "type condition app".
func answers(s *xmpptest.Session, iq xmpptest.IQ) bool {
	node := iq.Payload.Child("subscribe").Attr("node")
	var e xmpptest.StanzaError
	if n, _ := fmt.Sscan(node, &e.Type, &e.Condition, &e.App); n < 2 {
		return false
	}
	s.Fail(iq, e)
	return true
}

func TestErrorStatus(t *testing.T) {
	f := startFake(t, xmpptest.Config{OnIQ: answers})
	site := startCaddy(t, f.directive("nodes *"))
	for answer, status := range map[string]int{
		"auth forbidden":                                     403,
		"cancel not-allowed":                                 403,
		"cancel not-allowed closed-node":                     403,
		"auth not-authorized":                                403,
		"auth not-authorized presence-subscription-required": 403,
		"auth not-authorized not-in-roster-group":            403,
		"auth not-authorized pending-subscription":           403,
		"auth registration-required":                         403,
		"cancel item-not-found":                              404,
		"cancel remote-server-not-found":                     404,
		"cancel service-unavailable":                         404,
		"cancel gone":                                        404,
		"wait remote-server-timeout":                         504,
		"wait resource-constraint":                           503,
		"modify bad-request nodeid-required":                 400,
		"cancel feature-not-implemented":                     502,
		"wait internal-server-error":                         502,
	} {
		fields := strings.Fields(answer)
		site.wantProblem("/eventsource/"+strings.ReplaceAll(answer, " ", "%20"), status, answer, fields[len(fields)-1])
	}
	wantNoTrouble(t, site)
}

func TestErrorsWithoutTheService(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("pending", xmpptest.NodeConfig{AccessModel: "authorize"})
	site := startCaddy(t, f.directive(""))
	site.wantProblem("/eventsource/none", 404, "none", "item-not-found")
	site.wantProblem("/eventsource/pending", 403, "pending", "")
	site.wantProblem("/eventsource/", 400, "", "")
	site.wantProblem("/eventsource/%00", 400, "\x00", "")
	site.wantProblem("/eventsource/%ff", 400, "\uFFFD", "")
	for service, condition := range map[string]string{
		"pubsub.nowhere.example":    "remote-server-not-found",
		"localhost\nnodes *":        "service-unavailable",
		"{http.request.uri.query}":  "",
		"{http.request.header.Nix}": "",
	} {
		status := 404
		if condition == "" {
			status = 400
		}
		site.load(f.directive("service " + service))
		site.wantProblem("/eventsource/news", status, "news", condition)
	}
	site.load(f.directive("service {http.request.uri.query.at}"))
	f.CreateNode("news", xmpptest.NodeConfig{})
	site.stream("/eventsource/news?at=pubsub.localhost").wantSubscribed("news")
	site.load(f.directive("nodes pending"))
	site.wantProblem("/eventsource/pending", 403, "pending", "pending-subscription")
}

func TestErrorRoutes(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	routes := `
		handle_errors {
			respond "{err.status_code} {err.message} seen" {err.status_code}
		}`
	site := startCaddy(t, f.directive("nodes none")+routes)
	for path, status := range map[string]int{"/eventsource/none": 404, "/eventsource/other": 403, "/eventsource/": 400} {
		res, body := site.get(path)
		if res.StatusCode != status || !strings.HasSuffix(body, " seen") || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
		if path == "/eventsource/none" && !strings.Contains(body, "item-not-found") {
			t.Errorf("the cause is not in %q", body)
		}
	}
	if res, _ := site.do(http.MethodPost, "/eventsource/none"); res.StatusCode != 405 || res.Header.Get("Allow") == "" {
		t.Errorf("POST: %s", res.Status)
	}
	// The routes of another site at the same port are not ours.
	_, port, _ := strings.Cut(site.addr, ":")
	site.load(f.directive("") + "\n}\nhttp://other.example:" + port + " {\n" + routes)
	site.wantProblem("/eventsource/none", 404, "none", "item-not-found")
}

func TestTooManyNodes(t *testing.T) {
	f, site := start(t, "limits {\nnodes 2\n}\nlinger 1h", "a", "b", "c")
	a, b := site.stream("/eventsource/a"), site.stream("/eventsource/b")
	a.wantSubscribed("a")
	b.wantSubscribed("b")
	site.wantProblem("/eventsource/c", 503, "c", "")
	if res, _ := site.get("/eventsource/c"); res.Header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %q", res.Header.Get("Retry-After"))
	}
	site.stream("/eventsource/a").wantSubscribed("a") // is not one more
	b.close()
	// What merely lingers makes room.
	wantSoon(t, "there is room for another node", func() bool {
		res, _ := site.do(http.MethodHead, "/eventsource/c")
		return res.StatusCode == http.StatusOK
	})
	f.wantSubscribers("b", 0)
	f.Publish("a", "1", entry)
	a.wantItem("1", entry)
}

func TestEventTooLarge(t *testing.T) {
	f, site := start(t, "limits {\nevent 1KiB\n}", "news")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.Publish("news", "1", "<x xmlns='urn:x'>"+strings.Repeat("x", 2000)+"</x>")
	stream.wantGap("news", "too-large")
	f.Publish("news", "2", entry)
	stream.wantItem("2", entry)
}
