package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// nodeNames are nodes by what a request line has after the prefix.
var nodeNames = map[string]string{
	"dir/sub":                          "dir/sub",
	"dir%2Fsub%2f2":                    "dir/sub/2",
	"two%20words":                      "two words",
	"%20edge%20":                       " edge ",
	"two+words":                        "two+words",
	"100%25":                           "100%",
	"%2520":                            "%20",
	"%C3%BC%E2%82%AC%F0%9F%98%80":      "ü€😀",
	"trailing/":                        "trailing/",
	"trailing":                         "trailing",
	"/leading":                         "/leading",
	"a//b":                             "a//b",
	"a/../b":                           "a/../b",
	"..":                               "..",
	"../x":                             "../x",
	"%2e%2e/y":                         "../y",
	"./z":                              "./z",
	"a;b=c,d":                          "a;b=c,d",
	"%3Fq%23f":                         "?q#f",
	"q?x=y":                            "q",
	"%26amp%3B%3C%27%22":               "&amp;<'\"",
	"urn:xmpp:microblog:0":             "urn:xmpp:microblog:0",
	"%E2%80%A8":                        "\u2028",
	"Case":                             "Case",
	"case":                             "case",
	"{http.request.host}":              "{http.request.host}",
	"*":                                "*",
	"data:%20x":                        "data: x",
	strings.Repeat("%F0%9F%98%80", 15): strings.Repeat("😀", 15),
}

// realNames wants each path to be the node of exactly that name.
func realNames(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	site := startCaddy(t, directive(s, "")+"\nhandle_path /in/* {\n"+directive(s, "prefix /")+"\n}")
	number := 0
	for path, name := range nodeNames {
		number++
		must(t, admin.CreateNode(name, nil))
		for _, prefix := range []string{"/eventsource/", "/in/"} {
			if slashed := "/" + name; prefix == "/in/" && (strings.Contains(slashed, "/.") || strings.Contains(slashed, "//")) {
				continue // handle_path takes those for folders
			}
			in := site.raw("GET " + prefix + path + " HTTP/1.1")
			if head := site.head(in); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
				t.Errorf("%s%s: %s", prefix, path, head)
				continue
			}
			wantChunk(t, in, "^:\nretry: 3000\nevent: subscription\n")
			id := fmt.Sprint("n", number, len(prefix))
			must(t, admin.Publish(name, id, entry))
			wantChunk(t, in, "\ndata: <item xmlns='http://jabber.org/protocol/pubsub' id='"+id+"'>")
		}
	}
}

func TestHostileNodeNames(t *testing.T) {
	f, site := start(t, "")
	for _, path := range []string{
		"", "?node=", "%00", "a%00b", "%0A", "a%0D%0Ab", "%7F", "%09", "%C2%85", "%EF%BF%BE", "%FF", "a%C3", "%ED%A0%80", "%C0%AF",
		strings.Repeat("x", 1024), strings.Repeat("%C3%BC", 512),
	} {
		in := site.raw("GET /eventsource/" + path + " HTTP/1.1")
		if head := site.head(in); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
			t.Errorf("%.50q: %s", path, head)
		}
	}
	for _, path := range []string{"%", "%zz", "%2"} {
		in := site.raw("GET /eventsource/" + path + " HTTP/1.1")
		if head := site.head(in); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
			t.Errorf("%q: %s", path, head)
		}
	}
	longest := strings.Repeat("ü", 511) + "x"
	f.CreateNode(longest, xmpptest.NodeConfig{})
	site.wantStatus("/eventsource/"+strings.Repeat("%C3%BC", 511)+"x", http.StatusOK)
	site.wantStatus("/eventsource/none", http.StatusNotFound)
	if got := strings.Join(f.session().Received(), ""); strings.Count(got, "disco#info") != 2 {
		t.Errorf("the service was asked for more than two nodes: %s", got)
	}
}
