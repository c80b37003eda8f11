package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule"
	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestAdapt has pairs of a directive and the handler it becomes.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		directive, want, _ := strings.Cut(string(text), "----------\n")
		var adapted, handler any
		must(t, json.Unmarshal(adapt(t, "http://localhost {\n"+directive+"\n}"), &adapted))
		must(t, json.Unmarshal([]byte(want), &handler))
		if got := findHandler(adapted); !reflect.DeepEqual(got, handler) {
			t.Errorf("%s: %v, want %v", file, got, handler)
		}
		// The JSON is what the handler is made of, with nothing left over.
		delete(handler.(map[string]any), "handler")
		config, err := json.Marshal(handler)
		must(t, err)
		if err := caddy.StrictUnmarshalJSON(config, new(caddymodule.Handler)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// findHandler returns the config of the first of our handlers in v.
func findHandler(v any) any {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			if found := findHandler(child); found != nil {
				return found
			}
		}
	case map[string]any:
		if v["handler"] == "pubsub_eventsource" {
			return v
		}
		for _, child := range v {
			if found := findHandler(child); found != nil {
				return found
			}
		}
	}
	return nil
}

func TestAdaptErrors(t *testing.T) {
	for _, tt := range []struct{ option, want string }{
		{"bogus", `unknown option "bogus"`},
		{"tls {\nbogus\n}", `unknown option "bogus" of tls`},
		{"limits {\nbogus 1\n}", `unknown option "bogus" of limits`},
		{"retry 1s\nretry 2s", "retry is given twice"},
		{"nodes a\nnodes b", "nodes is given twice"},
		{"tls {\nca a\nca b\n}", "ca is given twice"},
		{"limits {\nnodes 1\n}\nlimits {\nevent 1\n}", "limits is given twice"},
		{"jid a@c", "is given twice"},
		{"service @", "JID"},
		{"service", "argument"},
		{"service \"\"", "argument"},
		{"service a b", "argument"},
		{"server ftp://x", "server"},
		{"server xmpp://", "server"},
		{"server x:none", "none"},
		{"server x y", "argument"},
		{"prefix es", "does not start with a slash"},
		{"prefix", "argument"},
		{"nodes", "argument"},
		{"nodes a \"\"", "empty pattern"},
		{"nodes {x", "{"},
		{"heartbeat 5", "not a duration"},
		{"heartbeat 0s", "not a duration"},
		{"retry -1s", "not a duration"},
		{"linger soon", "not a duration"},
		{"linger", "argument"},
		{"limits {\nnodes many\n}", "not a number"},
		{"limits {\nnodes -1\n}", "not a number"},
		{"limits {\nnodes 0\n}", "not a number"},
		{"limits {\nevent big\n}", "not a size"},
		{"limits {\nevent 0\n}", "not a size"},
		{"limits {\nevent 1EiB\n}", "not a size"},
		{"limits {\nnodes_per_stream x\n}", "not a number"},
		{"limits {\nnodes_per_stream\n}", "argument"},
		{"limits {\nevent 1MiB 2MiB\n}", "argument"},
		{"replay some", "none of none, last, all, and a number"},
		{"replay -1", "none of none, last, all, and a number"},
		{"replay", "argument"},
		{"history", "argument"},
		{"history all", "not a number"},
		{"history 0", "not a number"},
		{"history 10 big", "not a size"},
		{"history 10 1TiB", "not a size"},
		{"history 10 1MiB 2MiB", "argument"},
		{"limits 5", "argument"},
		{"tls x", "argument"},
		{"tls {\ninsecure_skip_verify yes\n}", "argument"},
		{"cors", "argument"},
		{"cors a.example", "not an origin"},
		{"cors https://a.example/", "not an origin"},
		{"cors https://a.*.example", "asterisk"},
		{"cors off https://a.example", "excludes"},
		{"cors * https://a.example", "excludes"},
	} {
		wantAdaptError(t, "pubsub_eventsource {\njid a@b\npassword x\n"+tt.option+"\n}", tt.want)
	}
	wantAdaptError(t, "pubsub_eventsource {\njid a@@b\n}", "JID")
	wantAdaptError(t, "pubsub_eventsource {\njid b\npassword x\n}", "localpart")
	wantAdaptError(t, "pubsub_eventsource {\njid\n}", "argument")
	wantAdaptError(t, "pubsub_eventsource {\njid a@b\npassword \"\"\n}", "argument")
	wantAdaptError(t, "pubsub_eventsource {\npassword x\n}", "required")
	wantAdaptError(t, "pubsub_eventsource {\njid a@b\n}", "required")
	wantAdaptError(t, "pubsub_eventsource", "required")
	wantAdaptError(t, "pubsub_eventsource /x y {\njid a@b\npassword x\n}", "argument")
}

// wantAdaptError wants an error with the text that says where it is.
func wantAdaptError(t *testing.T, directive, want string) {
	t.Helper()
	_, _, err := tryAdapt("http://localhost {\n" + directive + "\n}")
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
		t.Errorf("%q: %v, want an error with %q and a place", directive, err, want)
	}
}

func TestSecrets(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("secret"), 0o600))
	t.Setenv("CADDYMODULE_TEST_PASSWORD", "secret")
	for _, placeholder := range []string{"{env.CADDYMODULE_TEST_PASSWORD}", "{file." + file + "}"} {
		directive := f.directiveFor("gateway", placeholder, "")
		s := newSite(t)
		if cfg := adapt(t, s.caddyfile(directive)); bytes.Contains(cfg, []byte("secret")) {
			t.Errorf("the secret is in %s", cfg)
		}
		t.Run(placeholder[1:4], func(t *testing.T) {
			site := startCaddy(t, directive)
			site.stream("/eventsource/news").wantSubscribed("news")
			site.wantStatus("/eventsource/none", 404)
			site.wantLog(0, "secret")
		})
	}
	s := newSite(t)
	for placeholder, want := range map[string]string{
		"{env.CADDYMODULE_TEST_NONE}": "env.CADDYMODULE_TEST_NONE",
		"{file./nonexistent}":         "/nonexistent",
		"{nonsense}":                  "nonsense",
	} {
		if err := s.tryLoad(f.directiveFor("gateway", placeholder, "")); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v", placeholder, err)
		}
	}
}
