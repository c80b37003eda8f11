package browsertest

import (
	"encoding/xml"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// TestNative follows a node of the page's own origin, and compares what the
// page is told with what was published and with what was sent.
func TestNative(t *testing.T) {
	xmpp := startProsody(t)
	xmpp.create("news", nil)
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	sent := openStream(t, home.origin+"/eventsource/news")
	sent.next()
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))

	for _, c := range []struct{ name, id, text string }{
		{"a line", "1", "Hello"},
		{"nothing", "2", ""},
		{"lines", "3", "one\ntwo\n\n\n  three \n"},
		{"what ends no line", "4", "a\u2028b\u2029c\u0085d"},
		{"fields", "5", "x\ndata: y\nid: 7\nevent: retract\nretry: 1\n:\n\ndata\nid\n\n"},
		{"colons and blanks", "6", ":  : \n \n\t"},
		{"unicode", "7", "日本 é e\u0301 😀 \u00a0\u200b\ufeff\u202e"},
		{"markup", "8", `<b>&amp;</b> "'>]]>`},
		{"long", "9", strings.Repeat("0123456789 é\n", 20_000)},
		{"an id that is none of ours", `a b/é,%41"<&'` + "+~\ufeff", "x"},
		{"an id of two lines", "a\nid: b\n\n", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &page{t, p.ctx}
			xmpp.publish("news", c.id, "<text xmlns='urn:x'>"+escape(c.text)+"</text>")
			ev := p.next()
			if want := sent.next(); ev != want {
				t.Errorf("the page is told %.300q, the server sent %.300q", ev, want)
			}
			if ev.Name != "message" {
				t.Errorf("the event is %q, want a message", ev.Name)
			}
			if got := do[string](p, "parse("+quote(ev.Data)+").textContent"); got != c.text {
				t.Errorf("the text is %.300q, want %.300q", got, c.text)
			}
			if got := do[string](p, "parse("+quote(ev.Data)+").getAttribute('id')"); got != c.id {
				t.Errorf("the item's id is %q, want %q", got, c.id)
			}
			// The event's starts with the item's.
			part, _, _ := strings.Cut(ev.ID, ",")
			if got, err := url.PathUnescape(part); got != c.id || err != nil {
				t.Errorf("the event's id is %q, want it to start with that of %q", ev.ID, c.id)
			}
		})
	}
}

// TestCarriageReturn checks that a page gets what elsewhere would end a line.
// (Prosody makes a line feed of it.)
func TestCarriageReturn(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))

	const text = "a\rb\r\nc\r\r\n"
	xmpp.Publish("news", "1", "<text xmlns='urn:x'>"+escape(text)+"</text>")
	ev := p.next()
	if got := do[string](p, "parse("+quote(ev.Data)+").textContent"); got != text {
		t.Errorf("the text is %q, want %q", got, text)
	}
}

// escape returns s as text of an element or an attribute.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a Builder takes everything
	}
	return b.String()
}
