package browsertest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startChromium starts a browser with a profile of its own, which ends with the
// test. The context is that of its first tab.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	profile := t.TempDir()
	flags := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromiumPath(t)),
		chromedp.UserDataDir(profile),
		chromedp.Env("TMPDIR=" + t.TempDir()), // it leaves things there
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.NoFirstRun,
		chromedp.DisableGPU,
		// Pages may not wait for a tab to be looked at.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		// The certificates are of an authority that nobody knows.
		chromedp.Flag("ignore-certificate-errors", true),
	}
	for _, off := range []string{
		"background-networking", "breakpad", "component-update", "default-apps",
		"dev-shm-usage", "extensions", "quic", "sync",
	} {
		flags = append(flags, chromedp.Flag("disable-"+off, true))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(allocator,
		// It warns of what a newer browser says and it does not know.
		chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		cancel()
		end()
		wantNoProcess(t, profile)
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx
}

// chromiumPath returns where the browser is.
func chromiumPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("chromium is not installed; `make test` installs it")
	return ""
}

// wantNoProcess waits until no process has the profile on its command line, as
// all that belong to a browser do.
func wantNoProcess(t *testing.T, profile string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := processesWith(profile)
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("processes of Chromium are left:\n%s", strings.Join(left, "\n"))
			return
		}
	}
}

// processesWith returns the command lines that hold part.
func processesWith(part string) (lines []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(part)) {
			lines = append(lines, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return lines
}
