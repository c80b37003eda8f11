package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestXcaddy builds Caddy with the module as the README tells, but with the
// code of this tree.
func TestXcaddy(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	version := run(t, root, "go", "list", "-m", "-f", "{{.Version}}", "github.com/caddyserver/caddy/v2")
	caddy := filepath.Join(t.TempDir(), "caddy")
	// As the tests are built, so that most of it has been compiled already.
	t.Setenv("XCADDY_RACE_DETECTOR", "1")
	t.Setenv("XCADDY_GO_BUILD_FLAGS", "-buildvcs=false")
	run(t, root, "go", "tool", "-modfile=tools/go.mod", "xcaddy", "build", strings.TrimSpace(version), "--output", caddy,
		"--with", "github.com/caddy-pubsub/caddy-pubsub@v0.0.0="+root) // a version keeps it from looking for the newest

	if modules := run(t, root, caddy, "list-modules"); !strings.Contains(modules, "http.handlers.pubsub_eventsource") {
		t.Errorf("the module is not among\n%s", modules)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
