package caddymodule_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// wantItemOf wants an item as it is in a stream of several nodes.
func (e *events) wantItemOf(node, id string) event {
	e.t.Helper()
	return e.want("", "<items node='"+node+"'>"+itemData(id, payload(id))+"</items>")
}

// TestSeveralNodes has streams of several nodes, which go on at each of them.
func TestSeveralNodes(t *testing.T) {
	f, site := start(t, "", "a", "b", "c")
	stream := site.stream("/eventsource/?node=b&node=a&node=b")
	stream.wantSubscribed("a")
	at := stream.wantSubscribed("b").id
	var ids []string
	for i := range 3 {
		for _, node := range []string{"a", "b", "c"} {
			f.publishAll(node, fmt.Sprint(node, i))
		}
		ids = append(ids, stream.wantItemOf("a", fmt.Sprint("a", i)).id, stream.wantItemOf("b", fmt.Sprint("b", i)).id)
	}
	f.Retract("a", "a1")
	stream.want("retract", "<items node='a'><retract id='a1'/></items>")
	f.PurgeNode("b")
	ids = append(ids, stream.want("purge", "<purge node='b'/>").id)

	for n, id := range append([]string{at}, ids...) {
		// What was after it is of one node after the other; their order among
		// each other is not kept.
		resumed := site.stream("/eventsource/?node=a&node=b", "Last-Event-ID", id)
		resumed.wantSubscribed("a")
		resumed.wantSubscribed("b")
		for i := (n + 1) / 2; i < 3; i++ {
			resumed.wantItemOf("a", fmt.Sprint("a", i))
		}
		if n < len(ids) {
			resumed.want("retract", "<items node='a'><retract id='a1'/></items>")
		}
		for i := n / 2; i < 3; i++ {
			resumed.wantItemOf("b", fmt.Sprint("b", i))
		}
		if n < len(ids) {
			resumed.want("purge", "<purge node='b'/>")
		}
		resumed.close()
	}

	// Nodes may come and go, and one may be alone.
	other := site.stream("/eventsource/?node=c&node=b", "Last-Event-ID", ids[2])
	other.wantSubscribed("b")
	other.wantSubscribed("c")
	other.wantGap("c", "unknown-id")
	other.wantItemOf("b", "b1")
	alone := site.stream("/eventsource/a", "Last-Event-ID", ids[3])
	alone.wantSubscribed("a")
	alone.wantItem("a2", payload("a2"))
	one := site.stream("/eventsource/?node=a", "Last-Event-ID", alone.last)
	one.wantSubscribed("a")
	one.want("retract", "<items node='a'><retract id='a1'/></items>")
	alone.wantRetract("a1")
	f.publishAll("a", "a3")
	one.wantItemOf("a", "a3")
	alone.wantItems("a3")
}

func TestSeveralNodesRefused(t *testing.T) {
	f, site := start(t, "limits {\nnodes_per_stream 3\n}", "a", "b", "c", "d")
	f.CreateNode("closed", xmpptest.NodeConfig{AccessModel: "whitelist"})
	site.wantProblem("/eventsource/?node=a&node=closed", 403, "closed", "")
	site.wantProblem("/eventsource/?node=a&node=none&node=b", 404, "none", "item-not-found")
	site.wantProblem("/eventsource/?node=a&node=", 400, "", "")
	site.wantProblem("/eventsource/?node=a&node=b&node=c&node=d", 400, "", "")
	site.stream("/eventsource/?node=a&node=b&node=c&node=a").wantSubscribed("a")
}

func TestOneOfSeveralNodesEnds(t *testing.T) {
	f, site := start(t, "", "a", "b")
	stream := site.stream("/eventsource/?node=a&node=b")
	stream.wantSubscribed("a")
	stream.wantSubscribed("b")
	f.publishAll("a", "1")
	stream.wantItemOf("a", "1")
	f.DeleteNode("b")
	stream.want("delete", "<delete node='b'/>")
	stream.wantOver()
	site.wantProblem("/eventsource/?node=a&node=b", 404, "b", "item-not-found")
}

// TestSeveralNodesOfHostileNames has names and payloads that could be taken for
// something else.
func TestSeveralNodesOfHostileNames(t *testing.T) {
	name := "a'b\"<&>, .日本"
	f, site := start(t, "", name, "b")
	stream := site.stream("/eventsource/?node=b&node=" + url.QueryEscape(name))
	for range 2 {
		stream.mustNext()
	}
	f.Publish(name, "1,2", "<a xmlns='urn:x'>1\n\nevent: x\n2</a>")
	got := stream.mustNext()
	want := "<items node='a&#39;b&#34;&lt;&amp;&gt;, .日本'>" + itemData("1,2", "<a xmlns='urn:x'>1\n\nevent: x\n2</a>") + "</items>"
	if got.data != want || !strings.HasPrefix(got.id, "1%2C2,") {
		t.Errorf("id %s, data %s, want %s", got.id, got.data, want)
	}
	for _, r := range got.id {
		if r <= ' ' || r > '~' {
			t.Errorf("%q is in the id", r)
		}
	}
}

// TestSeveralNodesLongPoll polls for what any of them has.
func TestSeveralNodesLongPoll(t *testing.T) {
	f, site := start(t, "", "a", "b")
	stream := site.stream("/eventsource/?node=a&node=b")
	stream.wantSubscribed("a")
	at := stream.wantSubscribed("b").id
	f.publishAll("b", "1")
	stream.wantItemOf("b", "1")
	res, body := site.get("/eventsource/?node=a&node=b&transport=longpoll", "Last-Event-ID", at)
	if res.StatusCode != 200 || !strings.HasSuffix(body, "\ndata: <items node='b'>"+itemData("1", payload("1"))+"</items>\n\n") {
		t.Errorf("%s %s", res.Status, body)
	}
}
