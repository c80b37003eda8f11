package xmppclient_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// hardPayloads survive both servers as they are, up to how they are spelled.
var hardPayloads = []string{
	atom,
	"<a xmlns='urn:a'/>",
	"<a xmlns=''/>",
	"<a xmlns='urn:a'><b xmlns='urn:b'><c/></b><d/></a>",
	"<a xmlns='urn:a'><b xmlns=''><c/></b><d/></a>",
	"<x:a xmlns:x='urn:x'><x:b/><y:c xmlns:y='urn:y' xmlns='urn:d'><d/></y:c></x:a>",
	"<x:a xmlns:x='urn:x' x:b='1' b='2'/>",
	"<x:a xmlns:x='urn:x' xmlns:y='urn:y' x:b='1' y:b='2'><b y:c='3' xmlns='urn:z'/></x:a>",
	"<a xmlns='urn:a' xml:lang='de'>Grüße</a>",
	`<a xmlns='urn:a' b="it's" c='"quoted"' d='&lt;&gt;&amp;'>it's "quoted" &lt;&gt;&amp; ]]&gt;</a>`,
	"<a xmlns='urn:a'>one\ntwo\n\n\tthree  </a>",
	"<a xmlns='urn:a'><![CDATA[<b>&amp;]]>x</a>",
	"<a xmlns='urn:a'>😀 \u0085 \u2028 \u2029 \ufeff \u200d \U0001F469\u200d\U0001F680</a>",
	"<é xmlns='urn:é' ü='ö'>日本</é>",
	"<json xmlns='urn:xmpp:json:0'>{&quot;a&quot;: [1, \"&lt;\", null]}</json>",
	"<div xmlns='http://www.w3.org/1999/xhtml'><p>a<br/>b <em>c</em> d</p></div>",
	"<a xmlns='urn:a'>" + strings.Repeat("<b>", 100) + "x" + strings.Repeat("</b>", 100) + "</a>",
	"<a xmlns='urn:a'>data: x\n\nevent: y\n\n</a>",
	"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='x'><item id='y'/></items></pubsub>",
	"<event xmlns='urn:e'><items node='x'><retract id='y'/></items></event>",
	"<iq xmlns='jabber:client' type='get' id='1'/>",
}

// testPayloads publishes hundreds of payloads at several nodes at once. Each
// arrives once, in order, and says what was published.
func (r *real) testPayloads(t *testing.T) {
	const nodes, rounds = 4, 4
	published := map[xmppclient.Node][]servertest.Item{}
	for i := range nodes {
		name := fmt.Sprint("payloads ", i)
		n := r.create(t, name, nil)
		r.wantSubscribed(t, n)
		for j := range rounds * len(hardPayloads) {
			published[n] = append(published[n], servertest.Item{ID: fmt.Sprint(j), Payload: hardPayloads[(i+j)%len(hardPayloads)]})
		}
	}
	big := r.node("payloads 0")
	published[big] = append(published[big], servertest.Item{ID: "big", Payload: "<a xmlns='urn:a'>" + strings.Repeat("250 kB are a lot. ", 13_900) + "</a>"})
	errs := make(chan error, nodes)
	total := 0
	for n, items := range published {
		total += len(items)
		go func() { errs <- r.admin.PublishAll(n.Name, items) }()
	}
	next := map[xmppclient.Node]int{}
	for range total {
		ev := receive(t, "event", r.events)
		want := published[ev.Node][next[ev.Node]]
		next[ev.Node]++
		if ev.Kind == xmppclient.Retracted {
			t.Fatalf("an item was retracted: %+v", ev)
		}
		if ev.Item.ID != want.ID || ev.Item.Err != nil {
			t.Fatalf("event %+v, want item %s", ev, want.ID)
		}
		wantSame(t, want.Payload, ev.Item.Payload)
	}
	for range nodes {
		must(t, <-errs)
	}
	for n := range published {
		r.Unsubscribe(n)
	}
}

// testPublishedPayloads is the way there and back through the client.
func (r *real) testPublishedPayloads(t *testing.T) {
	n := r.create(t, "published", map[string]string{"pubsub#publish_model": "open"})
	r.wantSubscribed(t, n)
	for i, payload := range append(hardPayloads, "<a/>", "<x:a xmlns:x='urn:x'><b/></x:a>") {
		id, err := r.Publish(context.Background(), n, xmppclient.Item{Payload: payload})
		if err != nil {
			t.Errorf("publishing %s: %v", payload, err)
			continue
		}
		ev := r.wantEvent(t, n, xmppclient.Published, id)
		if i >= len(hardPayloads) { // such is in no namespace, and stays there
			payload = strings.Replace(payload, "<a/>", "<a xmlns=''/>", 1)
			payload = strings.Replace(payload, "<b/>", "<b xmlns=''/>", 1)
		}
		wantSame(t, payload, ev.Item.Payload)
	}
	r.Unsubscribe(n)
}

// wantSame checks that two payloads say the same.
func wantSame(t *testing.T, want, got string) {
	t.Helper()
	a, err := xmppclient.Canonical(want)
	must(t, err)
	b, err := xmppclient.Canonical("<root xmlns=''>" + got + "</root>")
	b = strings.TrimSuffix(strings.TrimPrefix(b, `<"" "root">`), "</>")
	if err != nil || a != b {
		t.Errorf("got  %.500s\nwant %.500s", got, want)
	}
	if err := xmppclient.Strict("<root>" + got + "</root>"); err != nil {
		t.Errorf("%.500s: %v", got, err)
	}
}
