// Package browsertest tests the product where it is used: in a real browser.
//
// A test runs Caddy in this process with a site for the page and, where it is
// about origins, one for the streams; a headless Chromium that loads the page;
// and a server to publish at, Prosody or, where something has to go wrong,
// package xmpptest. The page (page.js) keeps what it is told, and the test asks
// it for one event after the other. There is nothing in the package but tests.
package browsertest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is for what should take no time to speak of.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		panic(err)
	}
	// Caddy keeps its identity and its last config there.
	os.Setenv("XDG_DATA_HOME", dir)
	os.Setenv("XDG_CONFIG_HOME", dir)
	code := m.Run()
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(
			// Caddy's own, which it never ends.
			goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*Cache).maintainAssets"),
			goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
			goleak.IgnoreAnyFunction("github.com/DeRuina/timberjack.(*Logger).millRun"),
		); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}
