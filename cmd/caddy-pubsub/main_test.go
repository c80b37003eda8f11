package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// patience is for what should take no time to speak of.
const patience = 30 * time.Second

// binary is the command, as it is built for users but for the race detector.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "caddy-pubsub")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "caddy-pubsub")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", binary, ".")
	build.Stderr = os.Stderr
	code := 1
	if build.Run() == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// start runs the command until the test ends, when it has to end on SIGTERM.
func start(t *testing.T, env []string, args ...string) {
	t.Helper()
	home := t.TempDir()
	var out strings.Builder // read when the command has ended
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), append(env, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("it ended by itself: %v", err)
		}
		timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		wantNoRaceOfOurs(t, out.String())
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// wantNoRaceOfOurs wants the race detector to have reported nothing that
// concerns this module.
func wantNoRaceOfOurs(t *testing.T, output string) {
	t.Helper()
	for _, report := range strings.Split(output, "WARNING: DATA RACE")[1:] {
		report, _, _ = strings.Cut(report, "==================")
		if strings.Contains(report, "caddy-pubsub/caddy-pubsub/") {
			t.Error(report)
		}
	}
}

func freeAddr(t *testing.T) (addr, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return l.Addr().String(), port
}

// client connects to addr whatever the host of a URL, and trusts it.
func client(t *testing.T, addr string) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get waits until url is served and returns the response.
func get(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err == nil {
			t.Cleanup(func() { res.Body.Close() })
			return res
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// wantLine reads until a line has all the parts.
func wantLine(t *testing.T, body io.Reader, parts ...string) {
	t.Helper()
	lines := bufio.NewScanner(body)
next:
	for lines.Scan() {
		for _, part := range parts {
			if !strings.Contains(lines.Text(), part) {
				continue next
			}
		}
		return
	}
	t.Fatalf("no line with %q: %v", parts, lines.Err())
}

func TestDemo(t *testing.T) {
	addr, _ := freeAddr(t)
	start(t, nil, "demo", "--listen", addr)
	c := client(t, addr)
	wantLine(t, get(t, c, "http://"+addr+"/").Body, "demo.js")
	wantLine(t, get(t, c, "http://"+addr+"/demo.js").Body, "new EventSource")
	node, err := io.ReadAll(get(t, c, "http://"+addr+"/node").Body)
	if err != nil || string(node) != "demo" {
		t.Fatalf("node %q: %v", node, err)
	}
	events := get(t, c, "http://"+addr+"/eventsource/demo").Body
	for range 2 {
		wantLine(t, events, "data: <item ", "<title>Event ")
	}
}

func TestDemoWithAccount(t *testing.T) {
	s := servertest.Prosody(t, servertest.Options{})
	admin := s.Admin(t)
	if err := admin.CreateNode("weather report", nil); err != nil {
		t.Fatal(err)
	}
	addr, _ := freeAddr(t)
	start(t, []string{"XMPP_PASSWORD=" + s.Password("gateway")}, "demo", "--listen", addr,
		"--jid", "gateway@"+s.Domain(), "--server", s.Addr(), "--ca", s.CAFile(), "--node", "weather report")
	events := get(t, client(t, addr), "http://"+addr+"/eventsource/weather%20report").Body
	wantLine(t, events, "<subscription node='weather report'")
	if err := admin.Publish("weather report", "1", "<rain xmlns='urn:example:weather'/>"); err != nil {
		t.Fatal(err)
	}
	wantLine(t, events, "data: <item ", "<rain xmlns='urn:example:weather'/>")
}

func TestExample(t *testing.T) {
	s := servertest.Prosody(t, servertest.Options{})
	admin := s.Admin(t)
	if err := admin.CreateNode("news", nil); err != nil {
		t.Fatal(err)
	}
	addr, port := freeAddr(t)
	_, plainPort := freeAddr(t)
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	// All that differs is where things are on this machine.
	config := replace(t, string(example),
		"skip_install_trust\n", "skip_install_trust\nadmin off\nhttp_port "+plainPort+"\nhttps_port "+port+"\n",
		"jid {env.XMPP_JID}\n", "jid {env.XMPP_JID}\nserver "+s.Addr()+"\ntls {\nca "+s.CAFile()+"\n}\n",
		"localhost:5280", s.HTTPAddr())
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, []string{
		"XMPP_JID=gateway@" + s.Domain(), "XMPP_PASSWORD=" + s.Password("gateway"),
		// Caddy 2.11.9 has a data race of its own when it makes certificates
		// itself; start looks for one of ours.
		"GORACE=exitcode=0",
	}, "run", "--config", file, "--adapter", "caddyfile")

	c := client(t, addr)
	streams := []io.Reader{
		get(t, c, "https://localhost:"+port+"/eventsource/news").Body,
		get(t, c, "https://pubsub.localhost:"+port+"/eventsource/news").Body,
	}
	for _, stream := range streams {
		wantLine(t, stream, "<subscription node='news'")
	}
	if err := admin.Publish("news", "1", "<flash xmlns='urn:example:news'/>"); err != nil {
		t.Fatal(err)
	}
	for _, stream := range streams {
		wantLine(t, stream, "data: <item ", "<flash xmlns='urn:example:news'/>")
	}
	page := get(t, c, "https://localhost:"+port+"/")
	if got := page.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("the page has content type %q", got)
	}
	wantLine(t, page.Body, "new EventSource('/eventsource/news')")
	if bosh := get(t, c, "https://localhost:"+port+"/http-bind"); bosh.StatusCode != http.StatusOK {
		t.Errorf("GET /http-bind: %s", bosh.Status)
	}
}

// replace replaces each old, which has to be there, by the new that follows.
func replace(t *testing.T, s string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(s, oldnew[i]) {
			t.Fatalf("there is no %q", oldnew[i])
		}
		s = strings.Replace(s, oldnew[i], oldnew[i+1], 1)
	}
	return s
}
