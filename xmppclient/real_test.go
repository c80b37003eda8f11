package xmppclient_test

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// A probe is a running client and what it was told.
type probe struct {
	*xmppclient.Client
	events chan xmppclient.Event
	links  chan linkChange
	subs   chan outcome
}

type linkChange struct {
	state xmppclient.Link
	err   error
}

type outcome struct {
	node xmppclient.Node
	err  error
}

const patience = 30 * time.Second

// start runs a client with the configuration until the test ends.
func start(t *testing.T, cfg xmppclient.Config) *probe {
	t.Helper()
	p := &probe{
		events: make(chan xmppclient.Event, 10_000),
		links:  make(chan linkChange, 1000),
		subs:   make(chan outcome, 10_000),
	}
	cfg.OnEvent = func(ev xmppclient.Event) { p.events <- ev }
	cfg.OnLink = func(l xmppclient.Link, err error) { p.links <- linkChange{l, err} }
	cfg.OnSubscription = func(n xmppclient.Node, err error) { p.subs <- outcome{n, err} }
	cfg.OnFault = func(err error) { t.Error(err) }
	client, err := xmppclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Client = client
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

func (p *probe) wantLink(t *testing.T, want xmppclient.Link) error {
	t.Helper()
	got := receive(t, "change of the link", p.links)
	if got.state != want {
		t.Fatalf("the link is %v (%v), want %v", got.state, got.err, want)
	}
	return got.err
}

func (p *probe) wantSubscribed(t *testing.T, n xmppclient.Node) {
	t.Helper()
	p.Subscribe(n)
	if got := receive(t, "outcome of the subscription", p.subs); got.err != nil || got.node != n {
		t.Fatalf("subscribing to %v: %v %v", n, got.node, got.err)
	}
}

func serverConfig(t *testing.T, s *servertest.Server) xmppclient.Config {
	t.Helper()
	account, err := xmppclient.ParseJID("gateway@" + s.Domain())
	if err != nil {
		t.Fatal(err)
	}
	return xmppclient.Config{
		Account:  account,
		Password: s.Password("gateway"),
		Server:   s.Addr(),
		TLS:      &tls.Config{RootCAs: s.CAPool()},
		Resource: "test",
	}
}

func TestRealPublish(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		admin := s.Admin(t)
		if err := admin.CreateNode("news", nil); err != nil {
			t.Fatal(err)
		}
		p := start(t, serverConfig(t, s))
		p.wantLink(t, xmppclient.Up)
		news := xmppclient.Node{Service: s.Service(), Name: "news"}
		p.wantSubscribed(t, news)
		if err := admin.Publish("news", "1", "<entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title></entry>"); err != nil {
			t.Fatal(err)
		}
		ev := receive(t, "event", p.events)
		t.Logf("%+v", ev)
	})
}
