package caddymodule_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/goleak"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-pubsub/caddy-pubsub/caddymodule"
)

// patience is for what should take no time to speak of.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		caddycmd.Main() // see startChild
		return
	}
	dir, err := os.MkdirTemp("", "caddymodule")
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

// A site is Caddy in this process with one site at a port of its own.
type site struct {
	t    *testing.T
	addr string // host:port
	logs string // the file that Caddy logs to

	loads   int    // how many configs were loaded
	globals string // options
}

// startCaddy runs Caddy until the test ends with a site of the directives.
func startCaddy(t *testing.T, directives string) *site {
	t.Helper()
	s := newSite(t)
	s.run(directives)
	return s
}

func (s *site) run(directives string) {
	s.t.Helper()
	s.load(directives)
	s.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			s.t.Error(err)
		}
	})
}

func newSite(t *testing.T) *site {
	t.Helper()
	return &site{t: t, addr: freeAddr(t), logs: filepath.Join(t.TempDir(), "log")}
}

// load makes directives the site's config, as a reload does.
func (s *site) load(directives string) {
	s.t.Helper()
	if err := s.tryLoad(directives); err != nil {
		s.t.Fatal(err)
	}
	s.loads++
}

func (s *site) tryLoad(directives string) error {
	return caddy.Load(adapt(s.t, s.caddyfile(directives)), true)
}

// tryAdaptLoad is tryLoad of a whole Caddyfile, which may be wrong.
func (s *site) tryAdaptLoad(caddyfile string) error {
	cfg, _, err := tryAdapt(caddyfile)
	if err != nil {
		return err
	}
	return caddy.Load(cfg, true)
}

func (s *site) caddyfile(directives string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	log default {
		output file %s
		level DEBUG
	}
	%s
}
http://%s {
	%s
	%s
}`, s.logs, s.globals, s.addr, s.mark(s.loads), directives)
}

// mark returns a directive by which answers of a config that replaced another
// can be told.
func (s *site) mark(load int) string {
	if load == 0 {
		return ""
	}
	return fmt.Sprintf("header Loaded %d", load)
}

// isOld reports whether an answer is not that of the newest config: for a moment
// the listener of the one before may still take connections.
func (s *site) isOld(res *http.Response, err error) bool {
	if err != nil {
		return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
	}
	return res.Header.Get("Loaded") != fmt.Sprint(s.loads-1)
}

func adapt(t *testing.T, caddyfile string) []byte {
	t.Helper()
	cfg, _, err := tryAdapt(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func tryAdapt(caddyfile string) ([]byte, []caddyconfig.Warning, error) {
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// log returns what Caddy logged so far.
func (s *site) log() string {
	s.t.Helper()
	data, err := os.ReadFile(s.logs)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// wantLog wants so many lines of the log to have the text.
func (s *site) wantLog(n int, text string) {
	s.t.Helper()
	if log := s.log(); countLines(log, text) != n {
		s.t.Errorf("%d lines with %q are logged, want %d:\n%s", countLines(log, text), text, n, log)
	}
}

func countLines(s, text string) (n int) {
	for line := range strings.Lines(s) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// wantSoon waits until ok says so.
func wantSoon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (s *site) url(path string) string { return "http://" + s.addr + path }

// get makes a request and returns its whole answer.
func (s *site) get(path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	return s.do(http.MethodGet, path, header...)
}

func (s *site) do(method, path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	res := s.send(ctx, method, path, header...)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: reading the body: %v", method, path, err)
	}
	return res, string(body)
}

func (s *site) send(ctx context.Context, method, path string, header ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.url(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	for tries := 0; s.loads > 1 && tries < 100 && s.isOld(res, err); tries++ {
		if err == nil {
			res.Body.Close()
		}
		res, err = transport.RoundTrip(req)
	}
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log())
	}
	return res
}
