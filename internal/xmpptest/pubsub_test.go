package xmpptest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	open  = "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
	owner = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>"
	shut  = "</pubsub>"
)

func TestEvents(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("news", NodeConfig{})
	c := login(t, srv, "r")
	c.subscribe("news", "r")
	if got := srv.Subscribers("news"); !slices.Equal(got, []string{"alice@localhost/r"}) {
		t.Errorf("subscribers %q", got)
	}

	srv.Publish("news", "1", "<a xmlns='urn:a'>&amp;<![CDATA[<]]></a>")
	c.want("type='headline'", "from='pubsub.localhost'", "to='alice@localhost/r'",
		"<items node='news'><item id='1'><a xmlns='urn:a'>&amp;<![CDATA[<]]></a></item></items></event>")
	id := srv.PublishAs("bob@localhost", "news", "", "")
	c.want("<item id='" + id + "' publisher='bob@localhost'/>")
	srv.Retract("news", "1")
	c.want("<items node='news'><retract id='1'/></items>")
	srv.PurgeNode("news")
	c.want("<purge node='news'/>")
	if items := srv.Items("news"); len(items) != 0 {
		t.Errorf("items %v", items)
	}
	srv.EndSubscription("news", "alice@localhost/r")
	c.want("<subscription node='news' jid='alice@localhost/r' subscription='none'/>")
	srv.Publish("news", "2", "<a xmlns='urn:a'/>")
	srv.CreateNode("other", NodeConfig{})
	c.subscribe("other", "r") // nothing has come in between
	srv.DeleteNode("other")
	c.want("<delete node='other'/>")
}

func TestSubscriptionSurvivesSession(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("news", NodeConfig{SubID: true})
	c := login(t, srv, "r")
	c.iq("set", open+"<subscribe node='news' jid='alice@localhost/r'/>"+shut)
	c.want("subid='")
	c.send("</stream:stream>")
	if _, err := c.read(); err == nil {
		t.Fatal("the stream goes on")
	}
	srv.Publish("news", "lost", "")
	c = login(t, srv, "r")
	srv.Publish("news", "2", "")
	c.want("<item id='2'/>")
}

func TestBareJID(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("news", NodeConfig{})
	c := login(t, srv, "r")
	c.iq("set", open+"<subscribe node='news' jid='alice@localhost'/>"+shut)
	c.want("subscription='subscribed'")
	srv.Publish("news", "lost", "") // alice is not available
	c.send("<presence/>")
	c.iq("get", open+"<subscriptions node='news'/>"+shut)
	c.want("jid='alice@localhost' subscription='subscribed'")
	srv.Publish("news", "2", "")
	c.want("<item id='2'/>")
}

func TestSendLast(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("news", NodeConfig{SendLast: true})
	srv.Publish("news", "1", "")
	srv.Publish("news", "2", "")
	c := login(t, srv, "r")
	c.subscribe("news", "r")
	c.want("<item id='2'/>")
}

func TestSendLastBeforeResult(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("news", NodeConfig{SendLast: true, SendLastBeforeResult: true, InPlace: true})
	for _, id := range []string{"1", "2", "1"} {
		srv.Publish("news", id, "")
	}
	c := login(t, srv, "r")
	for range 2 {
		c.iq("set", open+"<subscribe node='news' jid='alice@localhost/r'/>"+shut)
		el := c.want("<item id='1'/>", "headline")
		stamp, err := time.Parse(time.RFC3339, el.Child("delay").Attr("stamp"))
		if age := time.Since(stamp); err != nil || age < 0 || age > patience {
			t.Errorf("got %s, %v", el, err)
		}
		c.want("subscription='subscribed'")
	}
	c.iq("get", open+"<items node='news'/>"+shut) // nothing has come after
	c.want("type='result'")
}

// TestInPlace checks that a node can be of ejabberd's kind: an item published
// again stays where it was, and goes when its first publication is the oldest.
func TestInPlace(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{InPlace: true, MaxItems: 2})
	for i, tc := range []struct {
		publish string
		want    []string
	}{
		{"a", []string{"a 0"}},
		{"b", []string{"a 0", "b 1"}},
		{"a", []string{"a 2", "b 1"}},
		{"c", []string{"b 1", "c 3"}},
	} {
		srv.Publish("n", tc.publish, strconv.Itoa(i))
		var got []string
		for _, it := range srv.Items("n") {
			got = append(got, it.ID+" "+it.Payload)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("publication %d: got %q, want %q", i, got, tc.want)
		}
	}
}

func TestAccess(t *testing.T) {
	subscribe := "<subscribe node='n' jid='alice@localhost/r'/>"
	for _, tc := range []struct {
		model, request, want string
	}{
		{"open", "<subscribe node='n'/>", "<invalid-jid"},
		{"open", "<subscribe jid='alice@localhost/r'/>", "<nodeid-required"},
		{"open", "<subscribe node='n' jid='bob@localhost/r'/>", "<forbidden"},
		{"open", "<subscribe node='m' jid='alice@localhost/r'/>", "<item-not-found"},
		{"open", "<unsubscribe node='n' jid='alice@localhost/r'/>", "<not-subscribed"},
		{"open", "<retract node='n'><item id='x'/></retract>", "<item-not-found"},
		{"open", "<publish node='n'><item>text</item></publish>", "<bad-request"},
		{"open", "<publish node='n'><item><a/><b/></item></publish>", "<bad-request"},
		{"open", "<options node='n'/>", "<feature-not-implemented"},
		{"whitelist", subscribe, "<forbidden"},
		{"presence", subscribe, "<presence-subscription-required"},
		{"roster", subscribe, "<not-in-roster-group"},
		{"authorize", subscribe, "subscription='pending'"},
	} {
		srv := start(t, Config{})
		srv.CreateNode("n", NodeConfig{AccessModel: tc.model})
		c := login(t, srv, "r")
		c.iq("set", open+tc.request+shut)
		c.want(tc.want)
	}
}

func TestAuthorize(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{AccessModel: "authorize", SendLast: true})
	srv.Publish("n", "0", "")
	c := login(t, srv, "r")
	request := open + "<subscribe node='n' jid='alice@localhost/r'/>" + shut
	c.iq("set", request)
	c.want("subscription='pending'")
	c.iq("set", request)
	c.want("<pending-subscription")
	srv.Publish("n", "1", "")
	srv.ApproveSubscription("n", "alice@localhost/r")
	c.want("<subscription node='n' jid='alice@localhost/r' subscription='subscribed'/>")
	srv.Publish("n", "2", "")
	c.want("<item id='2'/>")
}

func TestSetAccessModel(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{NotifyConfig: true})
	c := login(t, srv, "r")
	c.subscribe("n", "r")
	srv.SetAccessModel("n", "whitelist")
	c.want("<configuration node='n'>", "<value>whitelist</value>")
	if got := srv.Subscribers("n"); len(got) != 0 {
		t.Errorf("subscribers %q", got)
	}
}

func TestItems(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{MaxItems: 3})
	for _, id := range []string{"1", "2", "3", "4", "2"} {
		srv.Publish("n", id, "")
	}
	c := login(t, srv, "r")
	for request, want := range map[string]string{
		"<items node='n'/>":                                                  "<item id='3'/><item id='4'/><item id='2'/>",
		"<items node='n' max_items='2'/>":                                    "<items node='n'><item id='4'/><item id='2'/>",
		"<items node='n' max_items='0'/>":                                    "<items node='n'><item id='2'/>",
		"<items node='n'><item id='2'/><item id='9'/><item id='3'/></items>": "<items node='n'><item id='2'/><item id='3'/>",
	} {
		c.iq("get", open+request+shut)
		c.want(want)
	}
	srv.CreateNode("t", NodeConfig{Transient: true})
	srv.Publish("t", "1", "")
	c.iq("get", open+"<items node='t'/>"+shut)
	c.want("<feature-not-implemented", "<unsupported feature='persistent-items' xmlns='http://jabber.org/protocol/pubsub#errors'/>")
}

func TestPublishByClient(t *testing.T) {
	for name, tc := range map[string]struct{ item, want string }{
		"declared":  {"<item id='1'><a xmlns='urn:a' b='&lt;'><c/></a></item>", "<item id='1'><a xmlns='urn:a' b='&lt;'><c/></a></item>"},
		"inherited": {"<item id='1'><a>x</a></item>", "<a xmlns='http://jabber.org/protocol/pubsub'>x</a>"},
		"empty tag": {"<item id='1'><a/></item>", "<a xmlns='http://jabber.org/protocol/pubsub'/>"},
		"prefixed":  {"<item id='1' xmlns:p='urn:p'><p:a xmlns='urn:x'><p:b/></p:a></item>", "<p:a xmlns:p='urn:p' xmlns='urn:x'><p:b/></p:a>"},
		"cdata":     {"<item id='1'>\n<a xmlns='urn:a'><![CDATA[<&]]>\u2028</a>\n</item>", "<item id='1'><a xmlns='urn:a'><![CDATA[<&]]>\u2028</a></item>"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, Config{})
			srv.CreateNode("n", NodeConfig{})
			c := login(t, srv, "r")
			c.subscribe("n", "r")
			c.iq("set", open+"<publish node='n'>"+tc.item+"</publish>"+shut)
			c.want("headline", tc.want)
			c.want("type='result'", "<publish node='n'><item id='1'/></publish>")
			c.iq("get", open+"<items node='n'/>"+shut)
			c.want(tc.want)
			c.iq("set", open+"<retract node='n' notify='true'><item id='1'/></retract>"+shut)
			c.want("<retract id='1'/>")
			c.want("type='result'")
		})
	}
}

func TestOwner(t *testing.T) {
	srv := start(t, Config{})
	alice, bob := login(t, srv, "r"), loginAs(t, srv, "bob", "hunter2", "r")
	form := func(model string) string {
		return "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>" + model + "</value></field></x>"
	}
	alice.iq("set", open+"<create node='n'/><configure>"+form("whitelist")+"</configure>"+shut)
	alice.want("type='result'")
	alice.iq("set", open+"<create node='n'/>"+shut)
	alice.want("<conflict")
	alice.iq("get", owner+"<configure node='n'/>"+shut)
	alice.want("<value>whitelist</value>")
	alice.subscribe("n", "r")
	for _, request := range []string{"<purge node='n'/>", "<delete node='n'/>", "<configure node='n'/>"} {
		bob.iq("set", owner+request+shut)
		bob.want("<forbidden")
	}
	bob.iq("set", open+"<publish node='n'><item><a/></item></publish>"+shut)
	bob.want("<forbidden")
	bob.iq("get", open+"<items node='n'/>"+shut)
	bob.want("<forbidden")
	alice.iq("set", owner+"<configure node='n'>"+form("open")+"</configure>"+shut)
	alice.want("type='result'")
	bob.iq("get", open+"<items node='n'/>"+shut)
	bob.want("type='result'")
	alice.iq("set", owner+"<purge node='n'/>"+shut)
	alice.want("<purge")
	alice.want("type='result'")
	alice.iq("set", owner+"<delete node='n'/>"+shut)
	alice.want("<delete")
	alice.want("type='result'")
}

func TestDisco(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n & m", NodeConfig{Title: "N", MaxItems: 7})
	srv.Publish("n & m", "1", "")
	srv.Publish("n & m", "2", "")
	c := login(t, srv, "r")
	for _, tc := range []struct{ to, payload, want string }{
		{"pubsub.localhost", "<query xmlns='" + nsDiscoInfo + "'/>", "<identity category='pubsub' type='service'"},
		{"pubsub.localhost", "<query xmlns='" + nsDiscoInfo + "' node='n &amp; m'/>", "<field var='pubsub#max_items'><value>7</value>"},
		{"pubsub.localhost", "<query xmlns='" + nsDiscoInfo + "' node='x'/>", "<item-not-found"},
		{"pubsub.localhost", "<query xmlns='" + nsDiscoItems + "'/>", "node='n &amp; m' name='N'"},
		{"pubsub.localhost", "<query xmlns='" + nsDiscoItems + "' node='n &amp; m'/>", "name='2'/><item jid='pubsub.localhost' name='1'/>"},
		{"pubsub.localhost", "<query xmlns='jabber:iq:version'/>", "<service-unavailable"},
		{"localhost", "<query xmlns='" + nsDiscoInfo + "'/>", "category='server'"},
		{"localhost", "<query xmlns='" + nsDiscoItems + "'/>", "jid='pubsub.localhost'"},
		{"localhost", "<ping xmlns='urn:xmpp:ping'/>", "from='localhost'"},
		{"bob@localhost", "<ping xmlns='urn:xmpp:ping'/>", "<service-unavailable"},
		{"a@elsewhere.example/b", "<ping xmlns='urn:xmpp:ping'/>", "<remote-server-not-found"},
	} {
		c.send("<iq type='get' id='q1' to='" + tc.to + "'>" + tc.payload + "</iq>")
		if got := c.next().String(); !strings.Contains(got, tc.want) || !strings.Contains(got, "id='q1'") {
			t.Errorf("%s %s: got %s, want %s", tc.to, tc.payload, got, tc.want)
		}
	}
	c.send("<iq type='get' id='q2'><ping xmlns='urn:xmpp:ping'/></iq>")
	if el := c.want("type='result'"); el.Attr("from") != "" {
		t.Errorf("got %s", el)
	}
}
