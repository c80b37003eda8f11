package xmppclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/stream"
)

const streamErrorXML = "<stream:error><%s xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"

func streamError(condition string) string { return strings.ReplaceAll(streamErrorXML, "%s", condition) }

func TestSessionEndsAndComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(p *peer)
		want error
	}{
		"reset":             {func(p *peer) { p.raw.reset() }, syscall.ECONNRESET},
		"cut":               {func(p *peer) { _ = p.raw.Close() }, io.ErrUnexpectedEOF},
		"goodbye of TLS":    {func(p *peer) { _ = p.conn.Close() }, io.ErrUnexpectedEOF},
		"stream closed":     {func(p *peer) { p.send("</stream:stream>") }, errStreamClosed},
		"closed at once":    {func(p *peer) { p.last("</stream:stream>") }, nil},
		"stream error":      {func(p *peer) { p.send(streamError("system-shutdown")) }, stream.SystemShutdown},
		"error, then close": {func(p *peer) { p.last(streamError("system-shutdown")) }, stream.SystemShutdown},
		"text in between":   {func(p *peer) { p.send("hello<message/>") }, nil},
		"broken XML":        {func(p *peer) { p.send("<message></iq>") }, nil},
		"half a stanza":     {func(p *peer) { p.last("<message from='") }, io.ErrUnexpectedEOF},
		"a comment":         {func(p *peer) { p.send("<!-- x -->") }, nil},
		"a document type":   {func(p *peer) { p.send("<!DOCTYPE x>") }, nil},
		"unknown entity":    {func(p *peer) { p.send("<message>&foo;</message>") }, nil},
		"a second stream":   {func(p *peer) { p.send("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			subscribed(t, func(r *rig, p *peer) {
				test.end(p)
				r.wantDropped(p, test.want)
			})
		})
	}
}

func TestConflictIsNotFoughtOver(t *testing.T) {
	for name, test := range map[string]struct {
		send   func(*peer, string)
		maxTLS uint16
	}{
		"open":                       {(*peer).send, 0},
		"closed at once":             {(*peer).last, 0},
		"closed at once, in TLS 1.2": {(*peer).last, tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.fake.maxTLS = test.maxTLS
				r.run()
				p := r.session()
				for range 50 { // our own goodbye may fail before it has ended
					lost := time.Now()
					test.send(p, streamError("conflict"))
					p = r.session()
					if d := time.Since(lost); d < 15*time.Second || d > 8*time.Minute {
						t.Errorf("back after %v", d)
					}
				}
				if first, last := r.fake.dialled()[1], r.fake.dialled()[5]; last.Sub(first) < 2*time.Minute {
					t.Errorf("four conflicts within %v", last.Sub(first))
				}
			})
		})
	}
}

func TestHalfAnEventIsNone(t *testing.T) {
	for _, event := range []string{
		eventXML("news", "<item id='1'><a xmlns='urn:a'/></item>"),
		eventXML("news", "<item id='1'>text</item><item id='2'/><retract id='3'/>"),
	} {
		for cut := 1; cut < len(event); cut += 7 {
			subscribed(t, func(r *rig, p *peer) {
				p.last(event[:cut])
				<-p.ended
				r.wantEvents()
			})
		}
	}
}

func TestLastWordsAreHeard(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		p.last(eventXML("news", "<item id='1'/>"))
		<-p.ended
		r.wantEvents("1")
	})
}

func TestNothingIsWrittenAfterTheLinkBroke(t *testing.T) {
	client, server := memConns(1000)
	l := newLink(client)
	l.drop(errSilent)
	if _, err := l.Write([]byte("x")); !errors.Is(err, errSilent) {
		t.Errorf("before start: %v", err)
	}
	l.start()
	if _, err := l.Write([]byte("x")); !errors.Is(err, errSilent) {
		t.Errorf("after start: %v", err)
	}
	l.drop(errLoggedOut)
	if err := l.err(); err != errSilent {
		t.Errorf("the cause is now %v", err)
	}
	if n := server.in.written; n != 0 {
		t.Errorf("%d bytes were written", n)
	}
}

func TestNothingIsWrittenAfterTheStreamWasClosed(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		for range 100 { // they race with the end of the stream
			go func() { _, _ = r.Items(context.Background(), news, 0) }()
			r.Subscribe(Node{fakeService, "n"})
		}
		r.end()
		<-p.ended
		written := p.raw.in.written
		time.Sleep(time.Minute)
		if p.raw.in.written != written {
			t.Error("something was written")
		}
	})
}

func TestLogOut(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		began := time.Now()
		r.end()
		if d := time.Since(began); d != 0 {
			t.Errorf("Run returned after %v", d)
		}
		iq := r.want(p, "<unsubscribe node='news' jid='"+p.bound+"'")
		if iq.To != fakeService || len(p.got) != 0 {
			t.Errorf("%+v, and %d more", iq, len(p.got))
		}
		if _, err := r.current(); !errors.Is(err, ErrDisconnected) {
			t.Errorf("after Run there is a session: %v", err)
		}
	})
}

func TestNoRequestsWhileLoggingOut(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		p.freeze()
		go r.end()
		synctest.Wait()
		began := time.Now()
		if _, err := r.Items(context.Background(), news, 0); !errors.Is(err, ErrDisconnected) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestHugeStanzaEndsOnlyTheSession(t *testing.T) {
	resumable(t, func(r *rig, p *peer) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		go func() {
			p.send("<message from='" + fakeService + "'><event xmlns='" + nsPubSubEvent + "'><items node='news'><item>")
			for chunk := strings.Repeat("x", 1<<20); p.raw.in.open(); {
				p.send(chunk)
			}
		}()
		r.wantDropped(p, errStanzaTooLarge)
		if n := len(r.fake.resumed()); n != 0 {
			t.Errorf("%d attempts to resume, and have it once more", n)
		}
		runtime.ReadMemStats(&after)
		if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 400 {
			t.Errorf("%d MiB were allocated", grown)
		}
	})
}

func TestLargeStanzasAreNoTrouble(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		text := strings.Repeat("x", 2*maxSpare)
		p.publish("news", "1", text)
		r.wantAlive(p)
		if kept := cap(r.Client.session.decoder.payload.out); kept > maxSpare {
			t.Errorf("%d bytes are kept", kept)
		}
		if left := r.Client.session.link.budget.Load(); left < MaxStanza-maxSpare/10 {
			t.Errorf("the next stanza may have only %d bytes", left)
		}
		if events := take(r, &r.events); len(events) != 2 || events[0].Item.Payload != text {
			t.Errorf("%d events", len(events))
		}
	})
}

func TestDeepStanzaEndsOnlyTheSession(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		p.send("<message>" + strings.Repeat("<a>", maxDepth-1) + strings.Repeat("</a>", maxDepth-1) + "</message>")
		r.wantAlive(p)
		go p.send("<message>" + strings.Repeat("<a>", 1_000_000))
		r.wantDropped(p, errTooDeep)
	})
}

func TestItemOverTheLimitCostsOnlyItself(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		text := strings.Repeat("x", 980)
		r.SetMaxEvent(len("<a xmlns='u'></a>") + len(text))
		p.send(eventXML("news", "<item id='1'><a xmlns='u'>"+text+"</a></item><item id='2'><a xmlns='u'>x"+text+"</a></item><item id='3'/>"))
		p.send(eventXML("news", "<item id='4'>"+strings.Repeat("<a>", maxPayloadDepth)+strings.Repeat("</a>", maxPayloadDepth)+"</item>"))
		synctest.Wait()
		r.SetMaxEvent(0)
		p.send(eventXML("news", "<item id='5'>"+strings.Repeat("<a>", maxPayloadDepth)+strings.Repeat("</a>", maxPayloadDepth)+"</item>"))
		p.send(eventXML("news", "<item id='6'>"+strings.Repeat("<a>", maxPayloadDepth+1)+strings.Repeat("</a>", maxPayloadDepth+1)+"</item>"))
		r.wantAlive(p)
		want := map[string]error{"1": nil, "2": ErrTooLarge, "3": nil, "4": ErrTooLarge, "5": nil, "6": ErrMalformed, "alive": nil}
		for _, ev := range take(r, &r.events) {
			if err, listed := want[ev.Item.ID]; listed && !errors.Is(ev.Item.Err, err) || ev.Item.Err != nil && ev.Item.Payload != "" {
				t.Errorf("item %s: %v, want %v", ev.Item.ID, ev.Item.Err, err)
			}
		}
		r.wantEvents("1", "2", "3", "4", "5", "6", "alive")
	})
}
