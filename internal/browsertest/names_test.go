package browsertest

import "testing"

// TestNodeNames follows nodes whose names a page has to escape.
func TestNodeNames(t *testing.T) {
	xmpp := startFake(t)
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	tab := startChromium(t)
	for _, name := range []string{
		"a/b", "a//b", "/a/", "a/../b", "two words", " a ", "日本/é", "😀", "a+b&c=d?e#f", "100%", "%41", `"<'>;:@,\`,
	} {
		t.Run(name, func(t *testing.T) {
			xmpp.Publish(name, "0", "<x xmlns='urn:x'/>")
			p := visit(t, tab, home.origin)
			p.follow("/eventsource/"+do[string](p, "encodeURIComponent("+quote(name)+")"), "{}")
			ev := p.next()
			if got := do[string](p, "parse("+quote(ev.Data)+").getAttribute('node')"); got != name || ev.Name != "subscription" {
				t.Errorf("event %q of node %q, want the subscription of %q", ev.Name, got, name)
			}
			xmpp.Publish(name, "1", "<x xmlns='urn:x'/>")
			p.want("message", item("1", "<x xmlns='urn:x'/>"))
		})
	}
}
