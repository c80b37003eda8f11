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

// start runs a client with the configuration until the test ends. If that has an
// OnEvent, it is called first.
func start(t *testing.T, cfg xmppclient.Config) *probe {
	t.Helper()
	p := &probe{
		events: make(chan xmppclient.Event, 10_000),
		links:  make(chan linkChange, 1000),
		subs:   make(chan outcome, 10_000),
	}
	onEvent := cfg.OnEvent
	cfg.OnEvent = func(ev xmppclient.Event) {
		if onEvent != nil {
			onEvent(ev)
		}
		p.events <- ev
	}
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

// A real is a real server with somebody to administrate it and a client that
// is logged in.
type real struct {
	*servertest.Server
	admin *servertest.Client
	*probe
}

func (r *real) node(name string) xmppclient.Node {
	return xmppclient.Node{Service: r.Service(), Name: name}
}

// create makes a node of the full name.
func (r *real) create(t *testing.T, name string, config map[string]string) xmppclient.Node {
	t.Helper()
	if err := r.admin.CreateNode(name, config); err != nil {
		t.Fatalf("creating node %q: %v", name, err)
	}
	return r.node(name)
}

// TestReal runs what needs nothing but a healthy server on one of each kind.
func TestReal(t *testing.T) {
	t.Parallel()
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := &real{Server: s, admin: s.Admin(t), probe: start(t, serverConfig(t, s))}
		r.wantLink(t, xmppclient.Up)
		t.Run("requests", r.testRequests)
		t.Run("node info", r.testNodeInfo)
		t.Run("errors", r.testErrors)
		t.Run("refused subscriptions", r.testRefusedSubscriptions)
		t.Run("events", r.testEvents)
		t.Run("events of ejabberd", r.testEventsOfEjabberd)
		t.Run("publisher", r.testPublisher)
		t.Run("delay", r.testDelay)
		t.Run("account as service", r.testAccountAsService)
		t.Run("payloads", r.testPayloads)
		t.Run("published payloads", r.testPublishedPayloads)
		t.Run("names", r.testNames)
		t.Run("retained", r.testRetained)
		if len(r.links) > 0 {
			t.Errorf("the link changed: %+v", <-r.links)
		}
	})
}
