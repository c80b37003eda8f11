package xmppclient

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A rig is a client that runs in a synctest bubble against a fake server, and
// what it told.
type rig struct {
	*Client
	t    *testing.T
	fake *fake
	end  func() // ends Run and waits for it

	mu     sync.Mutex // guards the following fields
	events []Event
	links  []linkNews
	subs   []subNews
	items  []itemsNews // if the client was told to ask for them
	faults []error
}

type linkNews struct {
	state Link
	err   error
	at    time.Time
}

type subNews struct {
	node Node
	err  error
	at   time.Time
}

type itemsNews struct {
	node Node
	Retained
	after int // so many events
}

// news is the node that most tests subscribe to.
var news = Node{fakeService, "news"}

// bubble runs f in a bubble, with a client that does not run yet.
func bubble(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, fake: newFake(t)}
		account, err := ParseJID("gateway@" + fakeDomain)
		if err != nil {
			t.Fatal(err)
		}
		r.Client, err = New(Config{
			Account: account, Password: "secret", Resource: "web", Server: fakeDomain,
			TLS:            &tls.Config{RootCAs: fakeRoots()},
			OnEvent:        func(ev Event) { put(r, &r.events, ev) },
			OnLink:         func(l Link, err error) { put(r, &r.links, linkNews{l, err, time.Now()}) },
			OnSubscription: func(n Node, err error) { put(r, &r.subs, subNews{n, err, time.Now()}) },
			OnFault:        func(err error) { put(r, &r.faults, err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		r.dial = r.fake.dial
		defer func() {
			if r.end != nil {
				r.end()
			}
		}()
		f(r)
	})
}

// running runs f in a bubble once the client is logged in.
func running(t *testing.T, f func(r *rig, p *peer)) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.run()
		f(r, r.session())
	})
}

// subscribed runs f once the client is subscribed to news.
func subscribed(t *testing.T, f func(r *rig, p *peer)) {
	t.Helper()
	running(t, func(r *rig, p *peer) {
		r.Subscribe(news)
		r.want(p, "<subscribe node='news'")
		synctest.Wait()
		f(r, p)
	})
}

// telling has the client ask for what is retained.
func (r *rig) telling() {
	r.cfg.OnItems = func(n Node, got Retained) {
		put(r, &r.items, itemsNews{n, got, len(take(r, &r.events))})
	}
}

// run starts the client.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.end = func() {
		cancel()
		<-done
	}
}

// session returns the next session of the server.
func (r *rig) session() *peer {
	r.t.Helper()
	select {
	case p := <-r.fake.sessions:
		synctest.Wait()
		return p
	case <-time.After(time.Hour):
		r.t.Fatal("no session within an hour")
		panic("unreachable")
	}
}

// want returns the next stanza that came at p with part in it, and drops those
// before it.
func (r *rig) want(p *peer, part string) iqIn {
	r.t.Helper()
	timeout := time.After(time.Hour)
	for {
		select {
		case iq := <-p.got:
			if strings.Contains(iq.Inner, part) || strings.Contains(iq.ID, part) && part != "" {
				return iq
			}
		case <-timeout:
			r.t.Fatalf("no stanza with %q within an hour", part)
		}
	}
}

// wantEvents waits until all is quiet, and checks the ids of the items told so
// far.
func (r *rig) wantEvents(ids ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, ev := range r.events {
		got = append(got, ev.Item.ID)
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		r.t.Errorf("events of the items %q, want %q", got, ids)
	}
}

// wantAlive checks that events still arrive in the session of p.
func (r *rig) wantAlive(p *peer) {
	r.t.Helper()
	synctest.Wait()
	before := len(take(r, &r.events))
	p.publish("news", "alive", "<a xmlns='urn:a'/>")
	synctest.Wait()
	events := take(r, &r.events)
	if len(events) != before+1 || events[before].Item.ID != "alive" {
		r.t.Errorf("the session does not go on: %+v, link %+v", events[before:], take(r, &r.links))
	}
}

// wantDropped checks that the session of p ended with the cause, that the
// client logs in again and that events arrive then.
func (r *rig) wantDropped(p *peer, cause error) {
	r.t.Helper()
	<-p.ended
	next := r.session()
	links := take(r, &r.links)
	if down := links[len(links)-2]; down.state != Down || cause != nil && !errors.Is(down.err, cause) {
		r.t.Errorf("the link is %v for %v, want down for %v", down.state, down.err, cause)
	}
	r.want(next, "<subscribe node='news'")
	r.wantAlive(next)
}

func put[T any](r *rig, list *[]T, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, v)
}

// take returns what is in the list so far.
func take[T any](r *rig, list *[]T) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T(nil), *list...)
}
