package caddymodule_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// hardPayloads are hard to pass on. What they are is said by what the service
// retains, since services write them in their own ways.
var hardPayloads = []string{
	entry,
	"<empty xmlns='urn:x'/>",
	"<x:a xmlns:x='urn:x' xmlns='urn:d' x:at='1' xml:lang='de'><b x:at='2'><c xmlns='urn:c'><x:d/><e xmlns=''/></c></b></x:a>",
	"<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'><d xmlns=''/></c></b><e/></a>",
	"<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2' p:x='1'><p:c xmlns:p='urn:1'/></p:b><p:d/></p:a>",
	"<nothing>in no namespace</nothing>",
	"<x xmlns='urn:x'>one\ntwo\n\nthree\n</x>",
	"<x xmlns='urn:x'>cr&#13;lf&#13;&#10;tab&#9;</x>",
	"<x xmlns='urn:x'><![CDATA[<not & markup> ]]]]><![CDATA[>]]></x>",
	"<x xmlns='urn:x'>]]&gt; &lt;y/&gt; &amp;amp; &quot; &apos;</x>",
	"<x xmlns='urn:x' a='&#10;&#13;&#9; \"&apos;&lt;&amp;>' b=\"it's\"/>",
	"<x xmlns='urn:x'>😀𝄞é\u0085\u2028\u2029\uFEFF\u00A0</x>",
	"<ü:ñ xmlns:ü='urn:日本' ü:ä='ö'/>",
	"<x xmlns='urn:x'>\n\nevent: forged\nid: forged\ndata: forged\nretry: 1\n\n: comment\n\n</x>",
	"<x xmlns='urn:x'>  leading and trailing  <y/>  tail  </x>",
	"<json xmlns='urn:xmpp:json:0'>{\"a\":\"\\n\",\"b\":[1,2]}</json>",
	"<x xmlns='urn:x'>" + strings.Repeat("0123456789", 25_000) + "</x>",
	"<x xmlns='urn:x'>" + strings.Repeat("<y a='1'/>", 500) + "</x>",
	strings.Repeat("<d xmlns='urn:d'>", 60) + strings.Repeat("</d>", 60),
}

// realPayloads publishes them to several nodes at once, and wants each of
// several streams to have them once, in order, as the service retains them.
func realPayloads(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	const nodes, rounds, watchers = 3, 4, 2
	site := startCaddy(t, directive(s, "heartbeat 1s"))
	var items []servertest.Item
	for i := range rounds * len(hardPayloads) {
		payload := hardPayloads[i%len(hardPayloads)]
		if len(payload) > 100_000 && i >= len(hardPayloads) {
			payload = fmt.Sprintf("<x xmlns='urn:x'>%d</x>", i)
		}
		items = append(items, servertest.Item{ID: fmt.Sprintf("p %d", i), Payload: payload})
	}
	var publishing, reading sync.WaitGroup
	got := make([][]string, nodes*watchers) // by stream
	for n := range nodes {
		node := fmt.Sprint("hard/", n)
		must(t, admin.CreateNode(node, map[string]string{"pubsub#max_items": "1000"}))
		for w := range watchers {
			stream := site.stream("/eventsource/" + node)
			stream.wantSubscribed(node)
			reading.Go(func() {
				for range items {
					ev, err := stream.next()
					if err != nil || ev.name != "" {
						t.Errorf("%s: %q, %v", node, ev.name, err)
						return
					}
					got[n*watchers+w] = append(got[n*watchers+w], ev.data)
				}
			})
		}
		publisher := s.Admin(t)
		publishing.Go(func() {
			if err := publisher.PublishAll(node, items); err != nil {
				t.Error(err)
			}
		})
	}
	publishing.Wait()
	reading.Wait()
	for n := range nodes {
		retained := retainedItems(t, admin, fmt.Sprint("hard/", n))
		for w := range watchers {
			wantItems(t, got[n*watchers+w], retained)
		}
	}
}

// retainedItems returns what the service retains of the node.
func retainedItems(t *testing.T, admin *servertest.Client, node string) []string {
	t.Helper()
	reply, err := admin.Items(node)
	must(t, err)
	all := canonical(t, reply)
	_, all, _ = strings.Cut(all, `"http://jabber.org/protocol/pubsub" "items"`)
	_, all, _ = strings.Cut(all, ">")
	return strings.Split(all, `<"http://jabber.org/protocol/pubsub" "item"`)[1:]
}

func wantItems(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d items, %d are retained", len(got), len(want))
		return
	}
	for i := range got {
		_, item, _ := strings.Cut(canonical(t, got[i]), `<"http://jabber.org/protocol/pubsub" "item"`)
		if w := strings.TrimSuffix(want[i], "</></>"); i == len(want)-1 && item == w {
			continue
		}
		if item != want[i] {
			t.Errorf("item %d is %.500q, want %.500q", i, item, want[i])
		}
	}
}
