package xmppclient_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

func (r *real) wantEvent(t *testing.T, n xmppclient.Node, kind xmppclient.Kind, id string) xmppclient.Event {
	t.Helper()
	ev := receive(t, "event", r.events)
	if ev.Node != n || ev.Kind != kind || ev.Item.ID != id || ev.Item.Err != nil {
		t.Fatalf("event %+v, want kind %d of item %q of %v", ev, kind, id, n)
	}
	if since := time.Since(ev.Received); since < 0 || since > patience {
		t.Errorf("received %v ago", since)
	}
	return ev
}

// must stops the test if one of the steps that prepare it failed.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (r *real) testEvents(t *testing.T) {
	n := r.create(t, "events", map[string]string{"pubsub#notify_delete": "1", "pubsub#notify_retract": "1"})
	r.wantSubscribed(t, n)
	must(t, r.admin.Publish("events", "1", atom))
	if ev := r.wantEvent(t, n, xmppclient.Published, "1"); ev.Item.Payload != atom || !ev.Delayed.IsZero() || ev.Item.Publisher != "" {
		t.Errorf("event %+v", ev)
	}
	must(t, r.admin.Publish("events", "1", atom), r.admin.Publish("events", "2", atom), r.admin.Retract("events", "1", true), r.admin.PurgeNode("events"))
	r.wantEvent(t, n, xmppclient.Published, "1")
	r.wantEvent(t, n, xmppclient.Published, "2")
	r.wantEvent(t, n, xmppclient.Retracted, "1")
	r.wantEvent(t, n, xmppclient.Purged, "")
	must(t, r.admin.DeleteNode("events"))
	r.wantEvent(t, n, xmppclient.Deleted, "")

	r.create(t, "events", nil)
	r.wantSubscribed(t, n)
	must(t, r.admin.Publish("events", "3", atom))
	r.wantEvent(t, n, xmppclient.Published, "3")
	r.Unsubscribe(n)
	r.wantSubscribed(t, r.create(t, "fence", nil)) // made after the other is dropped
	must(t, r.admin.Publish("events", "4", atom), r.admin.Publish("fence", "5", atom))
	r.wantEvent(t, r.node("fence"), xmppclient.Published, "5")
	r.Unsubscribe(r.node("fence"))
}

func (r *real) testEventsOfEjabberd(t *testing.T) {
	if r.Name() != "ejabberd" {
		return // Prosody is silent about both
	}
	n := r.create(t, "told", map[string]string{"pubsub#notify_config": "1"})
	r.wantSubscribed(t, n)
	must(t, r.admin.ConfigureNode("told", map[string]string{"pubsub#title": "new"}))
	r.wantEvent(t, n, xmppclient.Configured, "")
	must(t, r.admin.SetSubscription("told", "gateway@"+r.Domain()+"/test", "none"))
	if ev := r.wantEvent(t, n, xmppclient.SubscriptionChanged, ""); ev.Subscription != "none" {
		t.Errorf("event %+v", ev)
	}
}

func (r *real) testPublisher(t *testing.T) {
	if r.Name() != "ejabberd" {
		return // Prosody tells it for all nodes or for none
	}
	n := r.create(t, "exposed", map[string]string{"pubsub#itemreply": "publisher"})
	r.wantSubscribed(t, n)
	must(t, r.admin.Publish("exposed", "1", atom))
	if ev := r.wantEvent(t, n, xmppclient.Published, "1"); !strings.HasPrefix(ev.Item.Publisher, "admin@"+r.Domain()) {
		t.Errorf("publisher %q", ev.Item.Publisher)
	}
	r.Unsubscribe(n)
}

// testAccountAsService subscribes to what another account publishes (XEP-0163).
func (r *real) testAccountAsService(t *testing.T) {
	if r.Name() != "prosody" {
		return // ejabberd sends such events only to those who are available
	}
	other := r.Login(t, "other")
	publish := func(id string) error {
		_, err := other.IQ("", "set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:pep'><item id='"+id+"'>"+atom+"</item></publish>"+
			"<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"+
			"<field var='pubsub#access_model'><value>open</value></field></x></publish-options></pubsub>")
		return err
	}
	must(t, publish("1"))
	n := xmppclient.Node{Service: "other@" + r.Domain(), Name: "urn:pep"}
	r.wantSubscribed(t, n)
	must(t, publish("2"))
	for id := range strings.FieldsSeq("1 2") {
		if ev := r.wantEvent(t, n, xmppclient.Published, id); ev.Item.Payload != atom || ev.Item.Publisher != n.Service {
			t.Errorf("event %+v", ev)
		}
	}
	if items, err := r.Items(t.Context(), n, 0); ids(items) != "2" || err != nil {
		t.Errorf("items %+v, %v", items, err)
	}
	r.Unsubscribe(n)
}

func (r *real) testDelay(t *testing.T) {
	if r.Name() != "ejabberd" {
		return // Prosody's default is to send nothing
	}
	n := r.create(t, "delay", nil)
	began := time.Now()
	must(t, r.admin.Publish("delay", "1", atom))
	r.wantSubscribed(t, n)
	if ev := r.wantEvent(t, n, xmppclient.Published, "1"); ev.Delayed.Before(began.Add(-time.Second)) || ev.Delayed.After(time.Now()) {
		t.Errorf("event %+v", ev)
	}
	must(t, r.admin.Publish("delay", "2", atom))
	if ev := r.wantEvent(t, n, xmppclient.Published, "2"); !ev.Delayed.IsZero() {
		t.Errorf("event %+v", ev)
	}
	r.Unsubscribe(n)
}

// Names are the same on their way to the server and back.
func (r *real) testNames(t *testing.T) {
	for _, name := range []string{"a b", " lead", "a/b/../c", "ünï 😀", "<&>\"'", "UPPER", "upper", "http://example.org/?q=1#f", "tab\there"} {
		if strings.Contains(name, "\t") && r.Name() == "prosody" {
			continue // which writes it in a way that reads as a blank
		}
		n := r.create(t, name, nil)
		r.wantSubscribed(t, n)
		must(t, r.admin.Publish(name, name, atom))
		r.wantEvent(t, n, xmppclient.Published, name)
		r.Unsubscribe(n)
	}
}

func TestRealRestart(t *testing.T) {
	t.Parallel()
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		ends := []func(){s.Kill}
		if s.Name() == "prosody" { // ejabberd takes its time to stop
			ends = append(ends, s.Stop)
		}
		must(t, s.Admin(t).CreateNode("restart", nil))
		for _, end := range ends {
			r := &real{Server: s, probe: start(t, serverConfig(t, s))}
			r.wantLink(t, xmppclient.Up)
			n := r.node("restart")
			r.wantSubscribed(t, n)
			end()
			r.wantLink(t, xmppclient.Down)
			s.Start()
			for link := receive(t, "link", r.links); link.state != xmppclient.Up; link = receive(t, "link", r.links) {
			}
			admin := s.Admin(t)
			_ = admin.CreateNode("restart", nil) // ejabberd forgets what happened just before it was killed
			r.resubscribe(t, n)
			must(t, admin.Publish("restart", "after", atom))
			for ev := receive(t, "event", r.events); ev.Item.ID != "after"; ev = receive(t, "event", r.events) {
			}
		}
	})
}

// resubscribe waits until n is subscribed to again; if the node was forgotten,
// after asking for it.
func (r *real) resubscribe(t *testing.T, n xmppclient.Node) {
	t.Helper()
	for {
		switch got := receive(t, "outcome", r.subs); {
		case got.err == nil:
			return
		case !xmppclient.Temporary(got.err):
			r.Subscribe(n)
		}
	}
}
