package caddymodule_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// asCaddy is the environment variable that makes this binary a Caddy.
const asCaddy = "CADDYMODULE_TEST_AS_CADDY"

// exitWithin is how long it may take.
const exitWithin = 5 * time.Second

// A child is Caddy in a process of its own, with one site.
type child struct {
	*site
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan error
	admin  string
}

// startChild runs one with the directives until exit is called, or the test
// ends.
func startChild(t *testing.T, directives string) *child {
	t.Helper()
	c := &child{site: newSite(t), ended: make(chan error, 1), admin: freeAddr(t)}
	c.globals = "servers {\nprotocols h1 h2c\n}"
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(c.config(directives)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(os.Args[0], "run", "--config", file, "--adapter", "caddyfile")
	c.cmd.Env = append(os.Environ(), asCaddy+"=1")
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }() // joined by the cleanup
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // unless it has ended
		<-c.ended
	})
	wantSoon(t, "the site answers", func() bool {
		conn, err := net.Dial("tcp", c.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return c
}

func (c *child) config(directives string) string {
	return strings.Replace(c.caddyfile(directives), "admin off", "admin "+c.admin, 1)
}

// reload makes directives the config.
func (c *child) reload(directives string) {
	c.t.Helper()
	res, err := http.Post("http://"+c.admin+"/load", "text/caddyfile", strings.NewReader(c.config(directives)))
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("reloading: %s", res.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// exit ends the process as a service manager does, and wants that to be quick.
func (c *child) exit() {
	c.t.Helper()
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	select {
	case err := <-c.ended:
		c.ended <- err
		if err != nil {
			c.t.Errorf("exit: %v\n%s", err, c.output.String())
		}
	case <-time.After(patience):
		c.t.Fatal("it does not exit")
	}
	if took := time.Since(began); took > exitWithin {
		c.t.Errorf("to exit took %v", took)
	}
	for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
		if strings.Contains(c.output.String()+c.log(), bad) {
			c.t.Errorf("%s:\n%s\n%s", bad, c.output.String(), c.log())
		}
	}
}

// wantGoodbye wants the stream to end with a later reconnection time.
func (e *events) wantGoodbye() {
	e.t.Helper()
	e.wantEnd()
	var ms int
	if n := len(e.retries); n != 2 {
		e.t.Fatalf("reconnection times %v", e.retries)
	}
	if _, err := fmt.Sscan(e.retries[1], &ms); err != nil || ms < 3000 || ms > 8000 {
		e.t.Errorf("the reconnection time is %s", e.retries[1])
	}
}

func TestExit(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	for _, node := range []string{"a", "b", "left"} {
		f.CreateNode(node, xmpptest.NodeConfig{})
	}
	c := startChild(t, f.directive(""))
	var streams []*events
	for i := range 50 {
		node := []string{"a", "b"}[i%2]
		streams = append(streams, c.stream("/eventsource/"+node), c.stream2("/eventsource/"+node))
	}
	for i, stream := range streams {
		stream.wantSubscribed([]string{"a", "b"}[i/2%2])
	}
	left := c.stream("/eventsource/left")
	left.wantSubscribed("left")
	left.close()
	c.exit()
	for _, stream := range streams {
		stream.wantGoodbye()
	}
	for _, node := range []string{"a", "b", "left"} {
		f.wantSubscribers(node, 0)
	}
	wantSoon(t, "the session is closed", func() bool { return len(f.Sessions()) == 0 })
}

// TestExitAfterReload has streams of a config that is gone, whose end would be
// up to ten seconds away.
func TestExitAfterReload(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	c := startChild(t, f.directive(""))
	var streams []*events
	for range 20 {
		streams = append(streams, c.stream("/eventsource/news"))
	}
	for _, stream := range streams {
		stream.wantSubscribed("news")
	}
	c.reload("respond bye")
	c.exit()
	for _, stream := range streams {
		stream.wantEnd()
	}
	f.wantSubscribers("news", 0)
}

func TestExitWithSlowClient(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{MaxItems: 1})
	c := startChild(t, f.directive(""))
	c.stall("/eventsource/news")
	stream := c.stream("/eventsource/news")
	stream.wantSubscribed("news")
	f.flood("news", stream)
	c.exit()
	stream.wantGoodbye()
	f.wantSubscribers("news", 0)
}

// TestExitWhileHeld has streams that wait for the XMPP server.
func TestExitWhileHeld(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.SetRefusing(true)
	c := startChild(t, f.directive(""))
	stream := c.stream("/eventsource/news")
	stream.wantLine(":")
	stream.wantLine("retry: 3000")
	stream.retries = append(stream.retries, "3000")
	stream.wantLine(": waiting for the XMPP server")
	c.exit()
	stream.wantGoodbye()
}

// stream2 opens an event stream by HTTP/2.
func (s *site) stream2(path string) *events {
	s.t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
		s.t.Fatalf("%s %s", res.Proto, res.Status)
	}
	return newEvents(s.t, res, cancel)
}
