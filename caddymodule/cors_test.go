package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// corsHeaders are those of a response, as name: value, with their doubles.
func corsHeaders(res *http.Response) string {
	var list []string
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
		"Access-Control-Allow-Methods", "Access-Control-Max-Age", "Vary",
	} {
		for _, value := range res.Header[name] {
			list = append(list, strings.TrimPrefix(name, "Access-Control-")+": "+value)
		}
	}
	return strings.Join(list, ", ")
}

func TestCORS(t *testing.T) {
	f, site := start(t, "", "news")
	const echoed = "Allow-Origin: %, Allow-Credentials: true, Vary: Origin"
	for _, tt := range []struct{ options, origin, want string }{
		{"", "https://any.example", "Allow-Origin: *"},
		{"", "", "Allow-Origin: *"},
		{"cors *", "null", "Allow-Origin: *"},
		{"cors off", "https://any.example", ""},
		{"cors https://a.example http://b.example:8080 null", "https://a.example", echoed},
		{"cors https://a.example http://b.example:8080 null", "http://b.example:8080", echoed},
		{"cors https://a.example http://b.example:8080 null", "null", echoed},
		{"cors HTTPS://A.Example", "https://a.example", echoed},
		{"cors https://a.example", "", "Vary: Origin"},
		{"cors https://a.example", "null", "Vary: Origin"},
		{"cors https://a.example", "http://a.example", "Vary: Origin"},
		{"cors https://a.example", "https://a.example:8443", "Vary: Origin"},
		{"cors https://a.example", "https://a.example.evil", "Vary: Origin"},
		{"cors https://a.example", "https://www.a.example", "Vary: Origin"},
		{"cors https://*.a.example", "https://www.a.example", echoed},
		{"cors https://*.a.example", "https://x.y.a.example", echoed},
		{"cors https://*.a.example", "https://a.example", "Vary: Origin"},
		{"cors https://*.a.example", "https://.a.example", "Vary: Origin"},
		{"cors https://*.a.example", "https://evil-a.example", "Vary: Origin"},
		{"cors https://*.a.example", "http://www.a.example", "Vary: Origin"},
		{"cors https://*.a.example", "https://www.a.example:1", "Vary: Origin"},
		{"cors https://*.a.example", "https://evil.example/.a.example", "Vary: Origin"},
		{"cors https://*.a.example:444", "https://www.a.example:444", echoed},
	} {
		site.load(f.directive(tt.options))
		var header []string
		if tt.origin != "" {
			header = []string{"Origin", tt.origin}
		}
		want := strings.Replace(tt.want, "%", tt.origin, 1)
		for _, path := range []string{"/eventsource/none", "/eventsource/news"} {
			res, _ := site.do(http.MethodHead, path, header...)
			if got := corsHeaders(res); got != want {
				t.Errorf("%s, Origin %q, %s: %q, want %q", tt.options, tt.origin, res.Status, got, want)
			}
		}
	}
}

func TestPreflight(t *testing.T) {
	ask := []string{
		"Origin", "https://a.example", "Access-Control-Request-Method", "GET",
		"Access-Control-Request-Headers", "cache-control,last-event-id,x-requested-with",
	}
	_, site := start(t, "cors https://a.example")
	res, body := site.do(http.MethodOptions, "/eventsource/any", ask...)
	want := "Allow-Origin: https://a.example, Allow-Credentials: true, Allow-Methods: GET, HEAD, Max-Age: 7200, Vary: Origin"
	if got := corsHeaders(res); res.StatusCode != http.StatusNoContent || got != want || body != "" {
		t.Errorf("%s, %q, %q; want %q", res.Status, got, body, want)
	}
	allowed := ", " + strings.ToLower(res.Header.Get("Access-Control-Allow-Headers")) + ","
	for _, name := range []string{
		"accept", "authorization", "cache-control", "content-type", "last-event-id", "x-requested-with",
		"hx-request", "hx-source", "hx-target", "hx-current-url", "hx-request-type", "hx-boosted", "hx-trigger", "hx-trigger-name", "hx-prompt",
	} {
		if !strings.Contains(allowed, ", "+name+",") {
			t.Errorf("%s is not allowed in %q", name, allowed)
		}
	}
	// Another origin learns that it is not meant.
	ask[1] = "https://b.example"
	res, _ = site.do(http.MethodOptions, "/eventsource/any", ask...)
	if got := corsHeaders(res); strings.Contains(got, "Origin: https") || strings.Contains(got, "Credentials") {
		t.Errorf("a preflight from elsewhere: %q", got)
	}
}

func TestCORSHeadersOfTheSite(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, `
		header Access-Control-Allow-Origin https://mine.example
		header Access-Control-Max-Age 5
		`+f.directive("cors https://a.example"))
	for _, method := range []string{http.MethodHead, http.MethodOptions} {
		res, _ := site.do(method, "/eventsource/news", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
		got := corsHeaders(res)
		if !strings.HasPrefix(got, "Allow-Origin: https://mine.example, ") || strings.Contains(got, "Credentials") ||
			strings.Count(got, "Max-Age: 5") != 1 || strings.Contains(got, "7200") {
			t.Errorf("%s: %q", method, got)
		}
	}
	site.load(f.directive("cors off"))
	res, _ := site.do(http.MethodOptions, "/eventsource/news", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
	if got := corsHeaders(res); got != "" || res.StatusCode != http.StatusNoContent {
		t.Errorf("cors off: %s, %q", res.Status, got)
	}
}

// TestCORSWithAuthentication is the recipe for both: preflights come without
// credentials.
func TestCORSWithAuthentication(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := startCaddy(t, `
		@notpreflight not method OPTIONS
		`+basicAuth("@notpreflight", "juliet")+f.directive("cors https://a.example"))
	res, _ := site.do(http.MethodOptions, "/eventsource/news", "Origin", "https://a.example",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if got := corsHeaders(res); res.StatusCode != http.StatusNoContent || !strings.Contains(got, "Allow-Origin: https://a.example") {
		t.Errorf("the preflight: %s, %q", res.Status, got)
	}
	if res, _ := site.get("/eventsource/news"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without credentials: %s", res.Status)
	}
	site.stream("/eventsource/news", authorization("juliet")...).wantSubscribed("news")
}
