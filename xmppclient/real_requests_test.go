package xmppclient_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

const atom = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title></entry>"

func ids(items []xmppclient.Item) string {
	var list []string
	for _, item := range items {
		list = append(list, item.ID)
	}
	return strings.Join(list, " ")
}

func (r *real) testRequests(t *testing.T) {
	ctx := context.Background()
	n := r.create(t, "requests", map[string]string{"pubsub#publish_model": "open"})
	must(t, r.admin.SetAffiliation("requests", "gateway@"+r.Domain(), "publisher")) // or Prosody lets nobody retract
	for _, id := range []string{"1", "2", "3", "it's <4>"} {
		if got, err := r.Publish(ctx, n, xmppclient.Item{ID: id, Payload: atom}); got != id || err != nil {
			t.Fatalf("publishing: %q, %v", got, err)
		}
	}
	made, err := r.Publish(ctx, n, xmppclient.Item{Payload: atom})
	if made == "" || err != nil {
		t.Errorf("publishing without an id: %q, %v", made, err)
	}
	wantItems := func(want string) func([]xmppclient.Item, error) {
		return func(items []xmppclient.Item, err error) {
			t.Helper()
			if ids(items) != want || err != nil {
				t.Errorf("items %q, %v, want %q", ids(items), err, want)
			}
			for _, item := range items {
				if item.Payload != atom || item.Err != nil {
					t.Errorf("item %+v", item)
				}
			}
		}
	}
	wantItems("1 2 3 it's <4> " + made)(r.Items(ctx, n, 0))
	wantItems("it's <4> " + made)(r.Items(ctx, n, 2))
	wantItems("2 it's <4>")(r.ItemsByID(ctx, n, "2", "it's <4>", "unknown"))
	wantItems("")(r.ItemsByID(ctx, n, "unknown"))
	if err := r.Retract(ctx, n, "2"); err != nil {
		t.Error(err)
	}
	wantItems("1 3 it's <4> " + made)(r.Items(ctx, n, 0))
	r.SetMaxEvent(10)
	items, err := r.Items(ctx, n, 1)
	if len(items) != 1 || items[0].Err == nil || items[0].Payload != "" || err != nil {
		t.Errorf("over the limit: %+v, %v", items, err)
	}
	r.SetMaxEvent(0)

	nodes, err := r.Nodes(ctx, r.Service())
	if err != nil || !slices.ContainsFunc(nodes, func(e xmppclient.NodeEntry) bool { return e.Node == n }) {
		t.Errorf("nodes: %v, %v", nodes, err)
	}
	if err := r.admin.DeleteNode("requests"); err != nil {
		t.Error(err)
	}
}

func (r *real) testNodeInfo(t *testing.T) {
	n := r.create(t, "info", map[string]string{"pubsub#title": "A <title>", "pubsub#description": "What & why", "pubsub#access_model": "whitelist"})
	info, err := r.NodeInfo(context.Background(), n)
	want := xmppclient.NodeInfo{Type: "leaf", AccessModel: "whitelist", Title: "A <title>", Description: "What & why"}
	if r.Name() == "ejabberd" {
		want.Description = info.Description // it may not tell
	}
	if info != want || err != nil {
		t.Errorf("info: %+v, %v, want %+v", info, err, want)
	}
	nodes, err := r.Nodes(context.Background(), r.Service())
	entry := xmppclient.NodeEntry{Node: n, Title: "A <title>"}
	if !slices.Contains(nodes, entry) || err != nil {
		t.Errorf("nodes: %+v, %v", nodes, err)
	}
}

// wantError checks that err is the service's answer, and which.
func (r *real) wantError(t *testing.T, err error, n xmppclient.Node, prosody, ejabberd string) {
	t.Helper()
	want := prosody
	if r.Name() == "ejabberd" {
		want = ejabberd
	}
	var e *xmppclient.Error
	if !errors.As(err, &e) {
		t.Errorf("%v is no answer, want %s", err, want)
		return
	}
	got := strings.TrimSuffix(e.Type+"/"+e.Condition+"+"+e.Detail, "+")
	if got != want || e.Node != n || e.Op == "" || !strings.Contains(err.Error(), e.Condition) || !strings.Contains(err.Error(), n.Service) {
		t.Errorf("%s for %v (%+v), want %s", got, err, e, want)
	}
}

func (r *real) testErrors(t *testing.T) {
	ctx := context.Background()
	items := func(n xmppclient.Node) error { _, err := r.Items(ctx, n, 0); return err }
	missing := r.node("missing")
	const none = "cancel/item-not-found"
	r.wantError(t, items(missing), missing, none, none)
	_, err := r.NodeInfo(ctx, missing)
	r.wantError(t, err, missing, none, none)

	closed := r.create(t, "closed", map[string]string{"pubsub#access_model": "whitelist"})
	r.wantError(t, items(closed), closed, "auth/forbidden", "cancel/not-allowed+closed-node")
	_, err = r.Publish(ctx, closed, xmppclient.Item{Payload: atom})
	r.wantError(t, err, closed, "auth/forbidden", "auth/forbidden")
	r.wantError(t, r.Retract(ctx, closed, "1"), closed, "auth/forbidden", "auth/forbidden")

	banned := r.create(t, "banned", nil)
	if err := r.admin.SetAffiliation("banned", "gateway@"+r.Domain(), "outcast"); err != nil {
		t.Fatal(err)
	}
	r.wantError(t, items(banned), banned, "auth/forbidden", "auth/forbidden")

	unknown := xmppclient.Node{Service: "pubsub.unknown.invalid", Name: "x"}
	var e *xmppclient.Error
	if err := items(unknown); !errors.As(err, &e) || xmppclient.Temporary(err) || e.Node != unknown {
		t.Errorf("unknown host: %v", err)
	}
	plain := xmppclient.Node{Service: r.Domain(), Name: "x"}
	r.wantError(t, items(plain), plain, "cancel/service-unavailable", "cancel/service-unavailable")
	empty := xmppclient.Node{Service: r.Domain()}
	if _, err := r.Nodes(ctx, "unknown.invalid"); !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "listing the nodes of unknown.invalid: ") {
		t.Errorf("unknown host of %v: %v", empty, err)
	}
}

// wantRefused subscribes and returns why that was refused.
func (r *real) wantRefused(t *testing.T, n xmppclient.Node) error {
	t.Helper()
	r.Subscribe(n)
	got := receive(t, "outcome", r.subs)
	if got.node != n || got.err == nil || xmppclient.Temporary(got.err) {
		t.Errorf("subscribing to %v: %+v", n, got)
	}
	return got.err
}

func (r *real) testRefusedSubscriptions(t *testing.T) {
	none := r.node("no such node")
	r.wantError(t, r.wantRefused(t, none), none, "cancel/item-not-found", "cancel/item-not-found")
	closed := r.node("closed")
	r.wantError(t, r.wantRefused(t, closed), closed, "auth/forbidden", "cancel/not-allowed+closed-node")
	banned := r.node("banned")
	r.wantError(t, r.wantRefused(t, banned), banned, "auth/forbidden", "auth/forbidden")
	plain := xmppclient.Node{Service: r.Domain(), Name: "x"}
	r.wantError(t, r.wantRefused(t, plain), plain, "cancel/service-unavailable", "cancel/service-unavailable")
	if r.Name() != "ejabberd" { // the other access models are refused by Prosody
		return
	}
	for model, want := range map[string]string{
		"authorize": "auth/not-authorized+pending-subscription",
		"presence":  "auth/not-authorized+presence-subscription-required",
		"roster":    "auth/not-authorized+not-in-roster-group",
	} {
		n := r.create(t, "model "+model, map[string]string{"pubsub#access_model": model})
		r.wantError(t, r.wantRefused(t, n), n, "", want)
		// Nothing is left pending, or it would say so now.
		r.wantError(t, r.wantRefused(t, n), n, "", want)
	}
}
