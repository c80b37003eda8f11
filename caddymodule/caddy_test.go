package caddymodule_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.uber.org/goleak"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-pubsub/caddy-pubsub/caddymodule"
)

// patience is for what should take no time to speak of.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
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
}

// startCaddy runs Caddy until the test ends with a site of the directives.
func startCaddy(t *testing.T, directives string) *site {
	t.Helper()
	s := &site{t: t, addr: freeAddr(t), logs: filepath.Join(t.TempDir(), "log")}
	s.load(directives)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// load makes directives the site's config, as a reload does.
func (s *site) load(directives string) {
	s.t.Helper()
	if err := s.tryLoad(directives); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) tryLoad(directives string) error {
	return caddy.Load(adapt(s.t, s.caddyfile(directives)), true)
}

func (s *site) caddyfile(directives string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	log default {
		output file %s
		level DEBUG
	}
}
http://%s {
	%s
}`, s.logs, s.addr, directives)
}

func adapt(t *testing.T, caddyfile string) []byte {
	t.Helper()
	cfg, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
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
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

// An events is an event stream that is being read.
type events struct {
	t    *testing.T
	res  *http.Response
	in   *bufio.Reader
	stop context.CancelFunc
}

// stream opens an event stream.
func (s *site) stream(path string, header ...string) *events {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	res := s.send(ctx, http.MethodGet, path, header...)
	e := &events{s.t, res, bufio.NewReader(res.Body), cancel}
	s.t.Cleanup(e.close)
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("GET %s: %s: %s", path, res.Status, body)
	}
	return e
}

func (e *events) close() {
	e.stop()
	e.res.Body.Close()
}

// An event is one that a stream dispatched.
type event struct {
	name, id, data string
}

// next returns the next event, or the error that ended the stream.
func (e *events) next() (event, error) {
	timer := time.AfterFunc(patience, e.stop)
	defer timer.Stop()
	var ev event
	var data []string
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			ev.data = strings.Join(data, "\n")
			return ev, nil
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "event":
			ev.name = value
		case "id":
			ev.id = value
		case "data":
			data = append(data, value)
		case "retry", "", ":":
		default:
			e.t.Errorf("unknown field in %q", line)
		}
	}
}

// want wants the next event to be of the name and to have the data.
func (e *events) want(name, data string) event {
	e.t.Helper()
	ev, err := e.next()
	if err != nil {
		e.t.Fatalf("waiting for %s %s: %v", name, data, err)
	}
	if ev.name != name || ev.data != data {
		e.t.Fatalf("event %q with %s, want %q with %s", ev.name, ev.data, name, data)
	}
	if ev.id == "" {
		e.t.Errorf("event %q has no id", name)
	}
	return ev
}

// wantEnd wants the stream to be aborted, without another event.
func (e *events) wantEnd() {
	e.t.Helper()
	ev, err := e.next()
	if err == nil {
		e.t.Fatalf("event %+v, want the end of the stream", ev)
	}
	if err == io.EOF {
		e.t.Errorf("the stream ended cleanly; it has to be aborted")
	}
}
