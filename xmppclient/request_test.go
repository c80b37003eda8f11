package xmppclient

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asking has a request for the items of news under way, and calls f with it.
func asking(t *testing.T, f func(r *rig, p *peer, iq iqIn, outcome <-chan error)) {
	t.Helper()
	running(t, func(r *rig, p *peer) {
		r.fake.answer(ignore)
		outcome := make(chan error, 1)
		go func() {
			items, err := r.Items(context.Background(), news, 0)
			if err == nil && (len(items) != 1 || items[0].ID != "right") {
				err = errors.New("wrong items")
			}
			outcome <- err
		}()
		f(r, p, r.want(p, "<items"), outcome)
	})
}

func itemsXML(id string) string {
	return "<pubsub xmlns='" + nsPubSub + "'><items node='news'><item id='" + id + "'/></items></pubsub>"
}

func TestReplyIsOnlyThatOfTheOneAsked(t *testing.T) {
	for _, from := range []string{"evil@example.org", "example.org", "pubsub.example.org/x", "gateway@example.org", "", "@@//"} {
		t.Run(from, func(t *testing.T) {
			asking(t, func(r *rig, p *peer, iq iqIn, outcome <-chan error) {
				forged := iq
				forged.To = from
				p.result(forged, itemsXML("forged"))
				p.fail(forged, "cancel", "item-not-found")
				synctest.Wait()
				p.result(iq, itemsXML("right"))
				if err := <-outcome; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestReplyMaySpellTheSenderOtherwise(t *testing.T) {
	asking(t, func(r *rig, p *peer, iq iqIn, outcome <-chan error) {
		iq.To = "PubSub.Example.org"
		p.result(iq, itemsXML("right"))
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

func TestReplyOfOwnAccount(t *testing.T) {
	own := Node{"gateway@" + fakeDomain, "urn:pep"}
	for _, from := range []string{" from='gateway@example.org'", ""} {
		running(t, func(r *rig, p *peer) {
			r.fake.answer(func(p *peer, iq iqIn) bool {
				p.send("<iq type='result' id='" + iq.ID + "'" + from + ">" + itemsXML("right") + "</iq>")
				return true
			})
			if items, err := r.Items(context.Background(), own, 0); err != nil || len(items) != 1 {
				t.Error(items, err)
			}
		})
	}
}

func TestRequestTimesOut(t *testing.T) {
	asking(t, func(r *rig, p *peer, iq iqIn, outcome <-chan error) {
		began := time.Now()
		if err := <-outcome; !errors.Is(err, ErrTimeout) || !Temporary(err) || time.Since(began) != requestTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if open := r.Client.session.requests.open; len(open) != 0 {
			t.Error("the request is left behind")
		}
		p.result(iq, itemsXML("late"))
		p.fail(iq, "cancel", "item-not-found")
		r.fake.answer(func(p *peer, iq iqIn) bool { p.result(iq, itemsXML("right")); return true })
		if items, err := r.Items(context.Background(), news, 0); err != nil || items[0].ID != "right" {
			t.Error(items, err)
		}
	})
}

func TestRequestEndsWithItsContext(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(ignore)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := r.Nodes(ctx, fakeService)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// requests are all that a Client offers.
var requestsOf = map[string]func(c *Client, ctx context.Context) error{
	"Items":       func(c *Client, ctx context.Context) error { _, err := c.Items(ctx, news, 1); return err },
	"ItemsByID":   func(c *Client, ctx context.Context) error { _, err := c.ItemsByID(ctx, news, "1"); return err },
	"Nodes":       func(c *Client, ctx context.Context) error { _, err := c.Nodes(ctx, fakeService); return err },
	"NodeInfo":    func(c *Client, ctx context.Context) error { _, err := c.NodeInfo(ctx, news); return err },
	"Publish":     func(c *Client, ctx context.Context) error { _, err := c.Publish(ctx, news, Item{ID: "1"}); return err },
	"Retract":     func(c *Client, ctx context.Context) error { return c.Retract(ctx, news, "1") },
	"subscribe":   func(c *Client, ctx context.Context) error { _, err := c.subscribe(ctx, news); return err },
	"unsubscribe": func(c *Client, ctx context.Context) error { return c.unsubscribe(ctx, news, "") },
}

func TestRequestsEndWithTheSession(t *testing.T) {
	for name, request := range requestsOf {
		t.Run(name, func(t *testing.T) {
			running(t, func(r *rig, p *peer) {
				r.fake.answer(ignore)
				outcome := make(chan error, 1)
				go func() { outcome <- request(r.Client, context.Background()) }()
				r.want(p, "")
				began := time.Now()
				p.raw.reset()
				err := <-outcome
				if !errors.Is(err, ErrDisconnected) || !Temporary(err) || time.Since(began) != 0 {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}

func TestRequestsWithoutASession(t *testing.T) {
	for name, request := range requestsOf {
		bubble(t, func(r *rig) {
			if err := request(r.Client, context.Background()); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), fakeService) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A caller may give up while the reading goroutine is in the middle of the
// reply. Under -race this tells whether the two share anything then.
func TestGivingUpInTheMiddleOfAReply(t *testing.T) {
	const reply = "<pubsub xmlns='" + nsPubSub + "'><items><item id='1'/>|<item id='2'/></items><publish><item id='1'/>|<item id='2'/></publish>" +
		"<subscription subid='1'/>|<subscription subid='2'/></pubsub>" +
		"<query xmlns='" + nsDiscoItems + "'><item node='a'/>|<item node='b'/></query>" +
		"<query xmlns='" + nsDiscoInfo + "'><identity category='pubsub' type='leaf'/>|<identity category='pubsub' type='collection'/></query>"
	parts := strings.Split(reply, "|")
	for name, request := range requestsOf {
		t.Run(name, func(t *testing.T) {
			for given := range parts {
				running(t, func(r *rig, p *peer) {
					r.fake.answer(ignore)
					ctx, cancel := context.WithCancel(context.Background())
					outcome := make(chan error, 1)
					go func() { outcome <- request(r.Client, ctx) }()
					iq := r.want(p, "")
					p.send("<iq type='result' id='" + iq.ID + "' from='" + iq.To + "'>" + strings.Join(parts[:given], ""))
					synctest.Wait()
					p.send(strings.Join(parts[given:], "")) // at the same time as
					cancel()
					if err := <-outcome; !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					p.send("</iq>")
					synctest.Wait()
				})
			}
		})
	}
}

func TestNamesThatXMLCannotCarry(t *testing.T) {
	for _, bad := range []string{"a\x00b", "\x1f", "a\xffb", "\uffff", "\ufffe"} {
		running(t, func(r *rig, p *peer) {
			odd := Node{fakeService, bad}
			_, errItems := r.Items(context.Background(), odd, 0)
			_, errIDs := r.ItemsByID(context.Background(), news, bad)
			_, errInfo := r.NodeInfo(context.Background(), odd)
			_, errNodes := r.Nodes(context.Background(), bad)
			_, errPublish := r.Publish(context.Background(), odd, Item{})
			for _, err := range []error{errItems, errIDs, errInfo, errNodes, errPublish, r.Retract(context.Background(), news, bad)} {
				var e *Error
				if !errors.As(err, &e) || e.Condition != "item-not-found" || Temporary(err) {
					t.Errorf("%q: %v", bad, err)
				}
			}
			r.Subscribe(odd)
			synctest.Wait()
			if subs := take(r, &r.subs); len(subs) != 1 || subs[0].err == nil || Temporary(subs[0].err) {
				t.Errorf("%q: %v", bad, subs)
			}
			if len(p.got) > 0 {
				t.Errorf("%q was sent: %+v", bad, <-p.got)
			}
		})
	}
}

func TestNoMoreThanSixteenRequestsAtATime(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(ignore)
		for range 100 {
			go func() { _, _ = r.Items(context.Background(), news, 0) }()
		}
		synctest.Wait()
		if len(p.got) != 16 {
			t.Errorf("%d requests at a time", len(p.got))
		}
	})
}
