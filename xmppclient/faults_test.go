package xmppclient_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// A faulty is a server that misbehaves, and a client that is subscribed there.
type faulty struct {
	*probe
	srv     *xmpptest.Server
	session *xmpptest.Session
	news    xmppclient.Node
}

func startFaulty(t *testing.T) *faulty {
	t.Helper()
	srv, cfg := fakeServer(t, xmpptest.Config{})
	srv.CreateNode("news", xmpptest.NodeConfig{})
	f := &faulty{probe: start(t, cfg), srv: srv, news: xmppclient.Node{Service: srv.Service(), Name: "news"}}
	f.wantLink(t, xmppclient.Up)
	f.session = f.wantSession(t)
	f.wantSubscribed(t, f.news)
	return f
}

func (f *faulty) wantSession(t *testing.T) *xmpptest.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := f.srv.WaitSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever ends the session, there is a new one soon, with the same JID and
// the same subscriptions.
func TestFaults(t *testing.T) {
	for name, end := range map[string]func(f *faulty){
		"reset":        func(f *faulty) { f.session.Reset() },
		"cut":          func(f *faulty) { f.session.CutAfter(0) },
		"closed":       func(f *faulty) { f.session.Close() },
		"stream error": func(f *faulty) { f.session.StreamError("system-shutdown", "bye") },
		"cut in stanza": func(f *faulty) {
			f.session.CutAfter(300)
			f.srv.Publish("news", "half", "<a xmlns='urn:a'>"+strings.Repeat("x", 1000)+"</a>")
		},
		"too deep": func(f *faulty) { _ = f.session.Send(strings.Repeat("<a>", 20_000)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFaulty(t)
			end(f)
			f.wantLink(t, xmppclient.Down)
			f.wantLink(t, xmppclient.Up)
			if s := f.wantSession(t); s.JID() != f.session.JID() {
				t.Errorf("the JID is now %s", s.JID())
			}
			for got := receive(t, "outcome", f.subs); got.err != nil; got = receive(t, "outcome", f.subs) {
			}
			f.srv.Publish("news", "after", "<a xmlns='urn:a'/>")
			if ev := receive(t, "event", f.events); ev.Item.ID != "after" {
				t.Errorf("event %+v", ev)
			}
		})
	}
}

// Over real sockets, whose buffers are not ours.
func TestServerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	srv, cfg := fakeServer(t, xmpptest.Config{})
	client, err := xmppclient.New(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Run(ctx)
	}()
	s, err := srv.WaitSession(t.Context())
	must(t, err)
	s.StopReading()
	payload := xmppclient.Item{Payload: "<a>" + strings.Repeat("x", 3<<20) + "</a>"}
	n := xmppclient.Node{Service: srv.Service(), Name: "news"}
	for range 3 {
		short, stop := context.WithTimeout(ctx, time.Second/2)
		if _, err := client.Publish(short, n, payload); err == nil || !xmppclient.Temporary(err) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("publishing: %v", err)
		}
		stop()
	}
	began := time.Now()
	cancel()
	<-done
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("Run returned after %v", d)
	}
}

func TestTwoClientsWithOneResource(t *testing.T) {
	t.Parallel()
	f := startFaulty(t)
	_, cfg := fakeServer(t, xmpptest.Config{})
	other := cfg
	other.Server, other.TLS = f.srv.Addr(), cfg.TLS.Clone()
	other.TLS.InsecureSkipVerify = true
	second := start(t, other)
	second.wantLink(t, xmppclient.Up)
	if err := f.wantLink(t, xmppclient.Down); !strings.Contains(err.Error(), "conflict") {
		t.Error(err)
	}
	f.srv.Publish("news", "1", "")
	if binds := f.srv.Binds(); binds != 2 {
		t.Errorf("%d sessions were bound", binds)
	}
}
