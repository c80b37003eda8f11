package xmppclient

import (
	"context"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
)

// wantAck wants the client to say that it has handled so many stanzas.
func (r *rig) wantAck(p *peer, handled string) {
	r.t.Helper()
	p.send("<r xmlns='" + nsSM + "'/>")
	synctest.Wait()
	if len(p.acks) == 0 {
		r.t.Errorf("no answer, want %s stanzas to be handled", handled)
		return
	}
	var got string
	for len(p.acks) > 0 {
		got = <-p.acks
	}
	if got != handled {
		r.t.Errorf("%s stanzas are handled, want %s", got, handled)
	}
}

// wantHandled wants all stanzas to be handled that were sent.
func (r *rig) wantHandled(p *peer) {
	r.t.Helper()
	r.wantAck(p, strconv.Itoa(p.sent()))
}

func TestHandledStanzasAreCounted(t *testing.T) {
	event := "<event xmlns='" + nsPubSubEvent + "'>"
	for name, raw := range map[string]string{
		"event":                     eventXML("news", "<item id='1'/>"),
		"event of no interest":      eventXML("old", "<item id='1'/>"),
		"event of somebody else":    "<message from='evil@example.org'>" + event + "<items node='news'><item/></items></event></message>",
		"event that panics":         eventXML("news", "<item id='bad'><a xmlns='urn:a'><b/></a></item><item id='2'/>"),
		"chat":                      "<message type='chat' from='a@b/c'><body>hello</body></message>",
		"empty message":             "<message/>",
		"error message":             "<message type='error' from='a@b/c'><error/></message>",
		"presence":                  "<presence from='a@b/c'><show>away</show></presence>",
		"ping":                      "<iq type='get' id='1' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
		"unknown request":           "<iq type='get' id='1' from='example.org'><x xmlns='urn:x'/></iq>",
		"request to set":            "<iq type='set' id='1' from='@@//'><x xmlns='urn:x'/></iq>",
		"request without type":      "<iq id='1'/>",
		"result nobody asked for":   "<iq type='result' id='1' from='example.org'><x xmlns='urn:x'/></iq>",
		"error nobody asked for":    "<iq type='error' id='1' from='example.org'/>",
		"namespace said once more":  "<message xmlns='jabber:client'/>",
		"something of SM inside it": "<message><r xmlns='" + nsSM + "'/></message>",
	} {
		t.Run(name, func(t *testing.T) {
			counting(t, func(r *rig, p *peer) {
				before := p.sent()
				p.stanza(raw)
				r.wantAck(p, strconv.Itoa(before+1))
				p.stanza(raw)
				p.stanza(raw)
				p.raw.reset()
				p = r.session()
				r.wantHandled(p)
			})
		})
	}
}

func TestOtherElementsAreNotCounted(t *testing.T) {
	for name, raw := range map[string]string{
		"white space":            " \n ",
		"request to acknowledge": "<r xmlns='" + nsSM + "'/>",
		"acknowledgement":        "<a xmlns='" + nsSM + "' h='7'/>",
		"unknown element of SM":  "<x xmlns='" + nsSM + "'/>",
		"unknown element":        "<x xmlns='urn:x'><message xmlns='jabber:client'/></x>",
		"stanza of servers":      "<message xmlns='jabber:server'/>",
	} {
		t.Run(name, func(t *testing.T) {
			counting(t, func(r *rig, p *peer) {
				p.send(raw)
				r.wantHandled(p)
				p.publish("news", "1", "")
				r.wantHandled(p)
			})
		})
	}
}

// counting is resumable for a client that panics over an item called bad.
func counting(t *testing.T, f func(r *rig, p *peer)) {
	t.Helper()
	bubble(t, func(r *rig) {
		tell := r.cfg.OnEvent
		r.cfg.OnEvent = func(ev Event) {
			if ev.Item.ID == "bad" {
				panic("cannot bear it")
			}
			tell(ev)
		}
		r.fake.managing = true
		r.run()
		p := r.session()
		r.Subscribe(news)
		synctest.Wait()
		f(r, p)
	})
}

func TestAnswersAreCounted(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		before := p.sent()
		for name, request := range requestsOf {
			if err := request(r.Client, context.Background()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		r.wantAck(p, strconv.Itoa(before+len(requestsOf)))
		r.fake.answer(func(p *peer, iq iqIn) bool { p.fail(iq, "cancel", "item-not-found"); return true })
		for name, request := range requestsOf {
			if err := request(r.Client, context.Background()); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		r.wantAck(p, strconv.Itoa(before+2*len(requestsOf)))
		r.fake.answer(ignore)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { synctest.Wait(); cancel() }()
		_, _ = r.Items(ctx, news, 0)
		p.result(r.want(p, "<items"), itemsXML("late"))
		r.wantHandled(p)
	})
}

// Each request for acknowledgement has an answer of its own, and is answered
// for what came before it.
func TestEachRequestIsAcknowledged(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		synctest.Wait()
		raw, before := "", p.sent()
		for range 50 {
			raw += "<presence/><r xmlns='" + nsSM + "'/>"
		}
		p.fake.mu.Lock()
		p.fake.current.sent += 50
		p.fake.current.unacked = append(p.fake.current.unacked, make([]string, 50)...)
		p.fake.mu.Unlock()
		p.send(raw)
		synctest.Wait()
		for i := range 50 {
			if len(p.acks) == 0 {
				t.Fatalf("%d answers, want 50", i)
			}
			if got := <-p.acks; got != strconv.Itoa(before+i+1) {
				t.Errorf("%s stanzas are handled, want %d", got, before+i+1)
			}
		}
	})
}

// What comes before the answer to enable does not count.
func TestCountBeginsWithTheAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.managing = true
		r.fake.early = "<presence/><presence/>" + eventXML("old", "<item/>")
		r.run()
		p := r.session()
		r.Subscribe(news)
		synctest.Wait()
		r.wantHandled(p)
		p.raw.reset()
		r.wantHandled(r.wantResumed(p.sent()))
	})
}

func TestHalfAStanzaDoesNotCount(t *testing.T) {
	for _, stanza := range []string{
		eventXML("news", "<item id='1'><a xmlns='urn:a'>&lt;</a></item>"),
		"<iq type='get' id='1' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='result' id='1' from='example.org'><x xmlns='urn:x'>x</x></iq>",
	} {
		for cut := 0; cut < len(stanza); cut += 5 {
			resumable(t, func(r *rig, p *peer) {
				handled := p.sent()
				p.part(stanza, cut)
				_ = p.raw.Close()
				p = r.wantResumed(handled)
				r.wantHandled(p)
				if stanza[1] == 'm' {
					r.wantEvents("1")
				} else if n := len(p.got); stanza[10] == 'g' && n != 2 { // the barrier, and the answer
					t.Errorf("%d stanzas came, want one answer", n)
				}
			})
		}
	}
}

func TestCountWraps(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		r.resumption.handled = math.MaxUint32
		p.fake.mu.Lock()
		p.fake.current.sent, p.fake.current.unacked = 0, nil
		p.fake.mu.Unlock()
		p.send("<presence/>")
		r.wantAck(p, "0")
		p.stanza("<presence/>")
		r.wantHandled(p)
	})
}
