package browsertest

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-pubsub/caddy-pubsub/caddymodule"
)

// A site is one of Caddy's, at an origin of its own.
type site struct {
	origin     string
	directives string
}

// newSite makes a site, such as of http://localhost, at a free port.
func newSite(t *testing.T, host string) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &site{origin: host + ":" + port}
}

// addr returns the host and port where the site listens.
func (s *site) addr() string { return "127.0.0.1" + port(s) }

// port returns the port of the site, with the colon.
func port(s *site) string { return s.origin[strings.LastIndex(s.origin, ":"):] }

// A server is Caddy in this process.
type server struct {
	t    *testing.T
	logs string // the file that Caddy logs to
}

// startCaddy runs Caddy with the sites until the test ends.
func startCaddy(t *testing.T, sites ...*site) *server {
	t.Helper()
	s := &server{t, filepath.Join(t.TempDir(), "log")}
	s.load(sites...)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// load replaces the config, as a reload does.
func (s *server) load(sites ...*site) {
	s.t.Helper()
	caddyfile := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https disable_redirects
	log default {
		output file %s
		level DEBUG
	}
}
`, s.logs)
	for _, site := range sites {
		caddyfile += site.origin + " {\nbind 127.0.0.1\n" + site.directives + "\n}\n"
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		s.t.Fatal(err)
	}
}
