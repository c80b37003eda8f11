package faulttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// A gateway is the command with a site that has event streams, as a child
// process with an identity of its own.
type gateway struct {
	t      *testing.T
	server *servertest.Server
	xmpp   string // where it finds the XMPP server
	addr   string // where it listens
	dir    string

	runs  int
	child *child // nil while it does not run
}

// startGateway runs a gateway until the test ends.
func startGateway(t *testing.T, s *servertest.Server, xmpp string) *gateway {
	t.Helper()
	// The path of a socket must be short, which that of t.TempDir is not.
	dir, err := os.MkdirTemp(folder, "gateway")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, server: s, xmpp: xmpp, dir: dir}
	for attempt := 0; ; attempt++ {
		g.addr = freeAddr()
		g.start()
		err := g.listens()
		if err == nil {
			t.Cleanup(g.stop)
			return g
		}
		g.kill()
		if attempt == 4 || !strings.Contains(g.output(), "address already in use") {
			t.Fatalf("%v\n%s", err, g.output())
		}
	}
}

func (g *gateway) url() string { return "http://" + g.addr }

// config returns a config, with more options in the directive.
func (g *gateway) config(options string) string {
	return fmt.Sprintf(`{
	admin unix/%s
	persist_config off
	auto_https off
}
http://%s {
	bind 127.0.0.1
	header X-Instance %q
	pubsub_eventsource {
		jid gateway@%s
		password %s
		server %s
		tls {
			ca %s
		}
		%s
	}
}
`, g.socket(), g.addr, g.instance(), g.server.Domain(), g.server.Password("gateway"), g.xmpp, g.server.CAFile(), options)
}

func (g *gateway) socket() string { return filepath.Join(g.dir, "admin") }

// instance tells this process from all others.
func (g *gateway) instance() string { return fmt.Sprintf("%s#%d", filepath.Base(g.dir), g.runs) }

// start starts the process, and does not wait.
func (g *gateway) start() {
	g.t.Helper()
	path, err := binary()
	if err != nil {
		g.t.Fatal(err)
	}
	g.runs++
	file := filepath.Join(g.dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(g.config("")), 0o600); err != nil {
		g.t.Fatal(err)
	}
	env := []string{"XDG_DATA_HOME=" + g.dir, "XDG_CONFIG_HOME=" + g.dir, "HOME=" + g.dir, "GORACE=exitcode=0"}
	g.child, err = startChild(g.log(), env, path, "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) log() string { return filepath.Join(g.dir, "log") }

func (g *gateway) output() string {
	text, _ := os.ReadFile(g.log()) // not there yet: nothing logged
	return string(text)
}

// listens waits until the process accepts connections.
func (g *gateway) listens() error {
	return await(patience, func() string {
		if g.child.ended() {
			return "the gateway has ended"
		}
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			return err.Error()
		}
		c.Close()
		return ""
	})
}

// kill ends the process as the loss of its machine would.
func (g *gateway) kill() {
	g.child.kill()
	g.child = nil
}

// stop ends the process as an administrator does, and looks for what it had to
// complain about.
func (g *gateway) stop() {
	if g.child == nil {
		return
	}
	if g.child.ended() {
		g.t.Errorf("the gateway %s ended by itself", g.instance())
	}
	if err := g.child.terminate(patience); err != nil {
		g.t.Errorf("ending the gateway %s: %v", g.instance(), err)
	}
	out := g.output()
	for _, report := range strings.Split(out, "WARNING: DATA RACE")[1:] {
		report, _, _ = strings.Cut(report, "==================")
		if strings.Contains(report, "caddy-pubsub/caddy-pubsub/") {
			g.t.Error(report)
		}
	}
	if _, trace, ok := strings.Cut(out, "panic: "); ok {
		g.t.Errorf("panic: %.2000s", trace)
	}
	if g.t.Failed() {
		g.t.Logf("end of the log of the gateway %s:\n%s", g.instance(), out[max(0, len(out)-3000):])
	}
}

// reload loads a config with more options in the directive.
func (g *gateway) reload(options string) {
	g.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.socket())
		},
	}}
	res, err := client.Post("http://localhost/load", "text/caddyfile", strings.NewReader(g.config(options)))
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		g.t.Fatalf("reloading: %s %s", res.Status, body)
	}
}
