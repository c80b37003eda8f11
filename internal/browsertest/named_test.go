package browsertest

import "testing"

// TestNamedEvents checks the events that a page has to listen for by name.
func TestNamedEvents(t *testing.T) {
	xmpp := startProsody(t)
	xmpp.create("news", map[string]string{"pubsub#notify_retract": "true"})
	home := newSite(t, "http://localhost")
	home.directives = writePage(t) + xmpp.directive("")
	startCaddy(t, home)
	p := visit(t, startChromium(t), home.origin)
	p.follow("/eventsource/news", "{}")
	p.want("subscription", subscribed("news"))

	xmpp.publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
	for _, err := range []error{
		xmpp.Retract("news", "1", true),
		xmpp.PurgeNode("news"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.want("retract", "<retract id='1'/>")
	p.want("purge", "<purge node='news'/>")
}
