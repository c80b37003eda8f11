package xmppclient

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleLinkIsPinged(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		for range 3 {
			heard := time.Now()
			ping := r.want(p, "<ping xmlns='urn:xmpp:ping'")
			if d := ping.At.Sub(heard); d < pingAfter || d > pingAfter+2*time.Second {
				t.Errorf("ping after %v of silence", d)
			}
			if ping.To != fakeDomain || ping.Type != "get" {
				t.Errorf("ping is %+v", ping)
			}
		}
		if len(take(r, &r.links)) != 1 {
			t.Errorf("links: %+v", take(r, &r.links))
		}
	})
}

func TestAnyByteIsLife(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		for range 100 {
			time.Sleep(pingAfter - 2*time.Second)
			p.send(" ")
		}
		synctest.Wait()
		if len(p.got) != 0 || len(take(r, &r.links)) != 1 {
			t.Errorf("%d pings, links %+v", len(p.got), take(r, &r.links))
		}
	})
}

func TestPingIsNotRepeated(t *testing.T) {
	running(t, func(r *rig, p *peer) {
		r.fake.answer(ignore)
		time.Sleep(deadAfter - time.Second)
		synctest.Wait()
		if n := len(p.got); n != 1 {
			t.Errorf("%d pings in one silence, want 1", n)
		}
	})
}

func TestHalfOpenLinkIsNoticed(t *testing.T) {
	subscribed(t, func(r *rig, p *peer) {
		p.hang()
		began := time.Now()
		next := r.session()
		links := take(r, &r.links)
		if len(links) != 3 || !errors.Is(links[1].err, errSilent) {
			t.Errorf("links: %+v", links)
		}
		if d := links[1].at.Sub(began); d > time.Minute {
			t.Errorf("noticed after %v", d)
		}
		r.want(next, "<subscribe node='news'")
		r.wantAlive(next)
	})
}

// A server that reads 3 kB/s answers a ping late if much else was sent before.
func TestPatienceWithThrottlingServer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.throttle = 3000
		r.run()
		p := r.session()
		_, err := r.Publish(context.Background(), news, Item{Payload: "<a>" + strings.Repeat("x", 300_000) + "</a>"})
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("publishing: %v, want a timeout", err)
		}
		if iq := r.want(p, "<publish"); len(iq.Inner) < 300_000 {
			t.Error("the request was cut")
		}
		synctest.Wait()
		if links := take(r, &r.links); len(links) != 1 {
			t.Errorf("links: %+v", links)
		}
	})
}

func TestStuckWriter(t *testing.T) {
	stuck := func(t *testing.T, f func(r *rig, p *peer)) {
		bubble(t, func(r *rig) {
			r.fake.buffer = 10_000
			r.run()
			p := r.session()
			p.freeze()
			f(r, p)
		})
	}
	big := Item{Payload: "<a>" + strings.Repeat("x", 50_000) + "</a>"}
	t.Run("requests fail", func(t *testing.T) {
		stuck(t, func(r *rig, p *peer) {
			began := time.Now()
			_, err := r.Publish(context.Background(), news, big)
			if d := time.Since(began); !errors.Is(err, ErrTimeout) || d != requestTimeout {
				t.Errorf("publishing: %v after %v", err, d)
			}
		})
	})
	t.Run("link is dropped although events come", func(t *testing.T) {
		stuck(t, func(r *rig, p *peer) {
			began := time.Now()
			go func() { _, _ = r.Publish(context.Background(), news, big) }()
			for len(take(r, &r.links)) == 1 && time.Since(began) < time.Minute {
				p.send(" ")
				time.Sleep(time.Second)
			}
			if d := time.Since(began); d > writeTimeout+2*time.Second {
				t.Errorf("the link was dropped after %v", d)
			}
		})
	})
	t.Run("Run returns", func(t *testing.T) {
		stuck(t, func(r *rig, p *peer) {
			go func() { _, _ = r.Publish(context.Background(), news, big) }()
			synctest.Wait()
			began := time.Now()
			r.end()
			if d := time.Since(began); d > goodbye {
				t.Errorf("Run returned after %v", d)
			}
		})
	})
}

func TestWhatWaitsToBeWrittenIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := memConns(1000)
		l := newLink(client)
		l.start()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.writeLoop()
		}()
		taken := 0
		for range 30 {
			n, err := l.Write(make([]byte, maxUnsent/4))
			if taken += n; err != nil && !errors.Is(err, errServerNotRead) {
				t.Error(err)
			}
			synctest.Wait()
		}
		// As much again is in the hands of writeLoop.
		if taken > 2*maxUnsent || taken < maxUnsent {
			t.Errorf("%d bytes wait", taken)
		}
		<-ended // by the deadline
		if !errors.Is(l.err(), os.ErrDeadlineExceeded) {
			t.Errorf("the link broke for %v", l.err())
		}
	})
}
