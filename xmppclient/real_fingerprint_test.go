package xmppclient_test

import (
	"fmt"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// TestRealFingerprints wants an item to have one fingerprint, in whatever way
// it comes, also after a restart, which has Prosody write attributes in another
// order: that of what was published.
func TestRealFingerprints(t *testing.T) {
	t.Parallel()
	payloads := append([]string{"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='x'/></event>"}, hardPayloads...)
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		r := &real{Server: s, admin: s.Admin(t), probe: start(t, serverConfig(t, s))}
		r.wantLink(t, xmppclient.Up)
		n := r.create(t, "prints", map[string]string{"pubsub#max_items": "100", "pubsub#send_last_published_item": "never"})
		r.wantSubscribed(t, n)
		for i, payload := range payloads {
			must(t, r.admin.Publish("prints", fmt.Sprint(i), payload))
		}
		for i, payload := range payloads {
			wantFingerprint(t, receive(t, "event", r.events).Item, i, payload)
		}
		r.wantFingerprints(t, n, payloads)
		s.Stop()
		s.Start()
		for link := receive(t, "link", r.links); link.state != xmppclient.Up; link = receive(t, "link", r.links) {
		}
		r.wantFingerprints(t, n, payloads)
	})
}

// wantFingerprints wants the items of n to have these payloads.
func (r *real) wantFingerprints(t *testing.T, n xmppclient.Node, payloads []string) {
	t.Helper()
	items, err := r.Items(t.Context(), n, 0)
	if err != nil || len(items) != len(payloads) {
		t.Fatalf("%d items, %v, want %d", len(items), err, len(payloads))
	}
	for i, payload := range payloads {
		wantFingerprint(t, items[i], i, payload)
	}
}

func wantFingerprint(t *testing.T, item xmppclient.Item, i int, payload string) {
	t.Helper()
	if want := xmppclient.Fingerprint(t, payload); item.ID != fmt.Sprint(i) || item.Fingerprint != want {
		t.Errorf("item %s has the fingerprint %d, want %d of item %d\ngot  %s\nwant %s", item.ID, item.Fingerprint, want, i, item.Payload, payload)
	}
}
