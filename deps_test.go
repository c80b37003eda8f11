package caddypubsub_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/caddy-pubsub/caddy-pubsub/"

// deps returns all that the package imports, by whatever way, without its
// tests.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "./"+pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	all := strings.Fields(string(out))
	return all[:len(all)-1] // the last is the package itself
}

// imports returns what the package itself imports.
func imports(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "./"+pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

// wantNone wants no path to be, or be in, one of those that are forbidden.
func wantNone(t *testing.T, pkg string, paths []string, forbidden ...string) {
	t.Helper()
	for _, path := range paths {
		for _, f := range forbidden {
			if path == f || strings.HasPrefix(path, strings.TrimSuffix(f, "/")+"/") {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

func TestImportDirections(t *testing.T) {
	const caddy, mellium = "github.com/caddyserver", "mellium.im"

	wantNone(t, "xmppclient", imports(t, "xmppclient"), "net/http", caddy, module)
	wantNone(t, "xmppclient", deps(t, "xmppclient"), caddy, module+"caddymodule", module+"cmd", module+"internal")

	const eventstream = "caddymodule/internal/eventstream"
	wantNone(t, eventstream, deps(t, eventstream), "net/http", "crypto/tls", module)
	for _, path := range imports(t, eventstream) {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("%s imports %s, which is not of the standard library", eventstream, path)
		}
	}

	const delivery = "caddymodule/internal/delivery"
	wantNone(t, delivery, deps(t, delivery), "net/http", caddy, mellium, module+"xmppclient", module+"internal", module+"cmd")

	wantNone(t, "caddymodule", imports(t, "caddymodule"), mellium)
	wantNone(t, "caddymodule", deps(t, "caddymodule"), module+"internal", module+"cmd")

	const xmpptest = "internal/xmpptest"
	wantNone(t, xmpptest, deps(t, xmpptest), module, mellium, caddy)

	const cmd = "cmd/caddy-pubsub"
	for _, path := range imports(t, cmd) {
		if ours, ok := strings.CutPrefix(path, module); ok && ours != "caddymodule" && ours != xmpptest {
			t.Errorf("%s imports %s", cmd, path)
		}
	}
}
