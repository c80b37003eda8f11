package xmppclient

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOddStanzasDoNotEndTheSession(t *testing.T) {
	event := "<event xmlns='" + nsPubSubEvent + "'>"
	for name, raw := range map[string]string{
		"request of an unparsable sender":   "<iq type='get' id='1' from='@@//'><ping xmlns='urn:xmpp:ping'/></iq>",
		"unknown request of such a sender":  "<iq type='set' id='1' from='a@@b'><foo xmlns='urn:foo'/></iq>",
		"request without id":                "<iq type='get' from='example.org'><foo xmlns='urn:foo'/></iq>",
		"the same of an unparsable sender":  "<iq type='get' from='@@//'><foo xmlns='urn:foo'/></iq>",
		"empty id of an unparsable sender":  "<iq type='get' id='' from='@@//'/>",
		"request without type":              "<iq id='1' from='@@//'/>",
		"empty iq":                          "<iq/>",
		"result that nobody asked for":      "<iq type='result' id='1' from='@@//'/>",
		"error without error":               "<iq type='error' id='1'/>",
		"message of an unparsable sender":   "<message from='@@//'>" + event + "<items node='news'/></event></message>",
		"message without sender":            "<message>" + event + "<items node='news'/></event></message>",
		"empty message":                     "<message/>",
		"message of an error":               "<message type='error' from='" + fakeService + "'>" + event + "<items node='news'><item/></items></event></message>",
		"presence of an unparsable sender":  "<presence from='@@//'><x/></presence>",
		"empty event":                       "<message from='" + fakeService + "'>" + event + "</event></message>",
		"two events":                        "<message from='" + fakeService + "'>" + event + "</event>" + event + "</event></message>",
		"items without node":                "<message from='" + fakeService + "'>" + event + "<items><item id='1'/></items></event></message>",
		"items that are none":               "<message from='" + fakeService + "'>" + event + "<items node='news'><foo/><item xmlns='urn:x'/>text</items><bar/></event></message>",
		"delay that cannot be read":         "<message from='" + fakeService + "'><delay xmlns='urn:xmpp:delay' stamp='yesterday'/>" + event + "</event></message>",
		"unknown element":                   "<foo xmlns='urn:foo'><bar/></foo>",
		"unknown element of the stream":     "<foo from='@@//' type='get'/>",
		"message in another namespace":      "<message xmlns='jabber:server' from='" + fakeService + "'>" + event + "<items node='news'><item/></items></event></message>",
		"request in another namespace":      "<iq xmlns='jabber:server' from='@@//' type='get' id='1'/>",
		"white space":                       " \n ",
		"stream management":                 "<r xmlns='urn:xmpp:sm:3'/>",
		"elements that look like an answer": "<result xmlns='urn:x' id='1' type='result'/>",
	} {
		t.Run(name, func(t *testing.T) {
			subscribed(t, func(r *rig, p *peer) {
				p.send(raw)
				r.wantEvents()
				r.wantAlive(p)
			})
		})
	}
}

func TestRequestsOfOthersAreAnswered(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"ping":                {"<iq type='get' id='q1' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>", "result"},
		"ping without sender": {"<iq type='get' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>", "result"},
		"other":               {"<iq type='get' id='q1' from='example.org'><query xmlns='jabber:iq:version'/></iq>", "error"},
		"set":                 {"<iq type='set' id='q1' from='a@b/c'><query xmlns='jabber:iq:roster'/></iq>", "error"},
		"nothing in it":       {"<iq type='get' id='q1' from='example.org'/>", "error"},
		"unparsable sender":   {"<iq type='get' id='q1' from='@@//'><x xmlns='urn:x'/></iq>", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(r *rig, p *peer) {
				p.send(test.raw)
				got := r.want(p, "q1")
				if got.Type != test.want {
					t.Errorf("got %+v, want a %s", got, test.want)
				}
				if unavailable := strings.Contains(got.Inner, "service-unavailable"); unavailable != (test.want == "error") {
					t.Errorf("got %+v", got)
				}
				if from := attrOf(test.raw, "from"); got.To != from {
					t.Errorf("the answer goes to %q, want %q", got.To, from)
				}
				synctest.Wait()
				if len(p.got) > 0 {
					t.Errorf("a second answer: %+v", <-p.got)
				}
			})
		})
	}
}

func attrOf(raw, name string) string {
	_, rest, _ := strings.Cut(raw, " "+name+"='")
	value, _, found := strings.Cut(rest, "'")
	if !found {
		return ""
	}
	return value
}

func TestPanicInOnEventIsAFault(t *testing.T) {
	bubble(t, func(r *rig) {
		tell := r.cfg.OnEvent
		r.cfg.OnEvent = func(ev Event) {
			if ev.Item.ID == "bad" {
				panic("cannot bear it")
			}
			tell(ev)
		}
		r.run()
		p := r.session()
		r.Subscribe(news)
		r.want(p, "<subscribe")
		p.publish("news", "bad", "")
		r.wantAlive(p)
		faults := take(r, &r.faults)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), "cannot bear it") || !strings.Contains(faults[0].Error(), "survive_test.go") {
			t.Errorf("faults: %v", faults)
		}
	})
}

func TestStrayEvents(t *testing.T) {
	event := func(from, node string) string {
		return "<message from='" + from + "'><event xmlns='" + nsPubSubEvent + "'><items node='" + node + "'><item id='x'/></items></event></message>"
	}
	t.Run("of another sender", func(t *testing.T) {
		subscribed(t, func(r *rig, p *peer) {
			for _, from := range []string{"evil@example.org/x", "example.org", "PubSub.example.org", "pubsub.example.org/x", "a@pubsub.example.org", ""} {
				p.send(event(from, "news"))
			}
			r.wantEvents()
			if len(p.got) > 0 {
				t.Errorf("they were answered: %+v", <-p.got)
			}
		})
	})
	t.Run("of a node of no interest", func(t *testing.T) {
		subscribed(t, func(r *rig, p *peer) {
			r.fake.answer(ignore)
			p.send(event(fakeService, "old"))
			p.send(event(fakeService, "old"))
			iq := r.want(p, "<unsubscribe node='old' jid='"+p.bound+"'")
			if iq.To != fakeService || iq.Type != "set" {
				t.Errorf("got %+v", iq)
			}
			time.Sleep(time.Second)
			r.wantEvents()
			if len(p.got) > 0 {
				t.Errorf("more than one request: %+v", <-p.got)
			}
		})
	})
	t.Run("of many nodes at once", func(t *testing.T) {
		subscribed(t, func(r *rig, p *peer) {
			r.fake.answer(ignore)
			for i := range 5000 {
				p.send(event(fakeService, fmt.Sprint("n", i)))
			}
			synctest.Wait()
			r.Client.mu.Lock()
			defer r.Client.mu.Unlock()
			if n := len(r.Client.subs); n > maxQueuedStrays+subscribeWindow+2 {
				t.Errorf("%d strays wait to be dropped", n)
			}
		})
	})
	t.Run("after unsubscribing", func(t *testing.T) {
		subscribed(t, func(r *rig, p *peer) {
			r.Unsubscribe(news)
			p.send(event(fakeService, "news"))
			r.wantEvents()
		})
	})
}
