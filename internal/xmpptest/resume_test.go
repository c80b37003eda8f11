package xmpptest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reconnect logs alice in up to where she may resume a session or bind.
func reconnect(t *testing.T, srv *Server) *client {
	t.Helper()
	c := authenticate(t, srv, "alice", "secret")
	c.open()
	return c
}

func (c *client) askToResume(id string, h int) {
	c.t.Helper()
	c.sm(fmt.Sprintf("resume previd='%s' h='%d'", id, h))
}

// wantResumed resumes a session of which it has handled h stanzas, and the
// server so many.
func (c *client) wantResumed(id string, h, handled int) {
	c.t.Helper()
	c.askToResume(id, h)
	c.want(fmt.Sprintf("<resumed xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", id, handled))
}

// wantNotResumed binds in its place.
func (c *client) wantNotResumed(id string) {
	c.t.Helper()
	c.askToResume(id, 0)
	c.want("<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
	c.bind("new")
}

// subscribed starts a server on which alice has subscribed to the node n.
func subscribed(t *testing.T, cfg Config) (srv *Server, c *client, s *Session, id string) {
	t.Helper()
	srv = start(t, cfg)
	srv.CreateNode("n", NodeConfig{})
	c = login(t, srv, "r")
	c.subscribe("n", "r")
	return srv, c, waitSession(t, srv), c.enable()
}

func TestResume(t *testing.T) {
	for name, lose := range map[string]func(*client, *Session){
		"still there":         func(*client, *Session) {},
		"reset":               func(_ *client, s *Session) { s.Reset() },
		"cut":                 func(_ *client, s *Session) { s.CutAfter(0) },
		"cut in stanza":       func(_ *client, s *Session) { s.CutAfter(100) },
		"cut after stanza":    func(_ *client, s *Session) { s.CutAfter(1000) },
		"hanging":             func(_ *client, s *Session) { s.Hang() },
		"not reading":         func(_ *client, s *Session) { s.StopReading() },
		"closed by client":    func(c *client, _ *Session) { c.tcp.Close() },
		"client in a stanza":  func(c *client, _ *Session) { c.send("<message><body>"); c.tcp.Close() },
		"TLS ended by client": func(c *client, _ *Session) { c.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			srv, c, s, id := subscribed(t, Config{StreamManagement: managed})
			srv.Publish("n", "1", "")
			c.wantMessages("id='1'")
			c.send("<message/><message/>")
			c.want("<r ")
			c.sm("r")
			c.want("<a ", "h='2'")
			lose(c, s)
			srv.Publish("n", "2", "<a xmlns='urn:a'/>")
			srv.Publish("n", "3", "")

			c = reconnect(t, srv)
			c.wantResumed(id, 1, 2)
			const delayed = "<delay xmlns='urn:xmpp:delay' from='alice@localhost' stamp='"
			c.want("<item id='2'><a xmlns='urn:a'/></item></items></event>" + delayed)
			c.want("<item id='3'/></items></event>" + delayed)
			c.want("<r ")
			next := waitSession(t, srv)
			if next == s || next.JID() != "alice@localhost/r" || srv.Resumes() != 1 || srv.Binds() != 1 {
				t.Errorf("%s after %d resumptions and %d binds", next.JID(), srv.Resumes(), srv.Binds())
			}
			if got := srv.Sessions(); !slices.Equal(got, []*Session{next}) || len(srv.Hibernating()) != 0 {
				t.Errorf("sessions %v, hibernating %v", got, srv.Hibernating())
			}
			wantCounts(t, s, 1, 2) // the session, whichever connection it was
			wantCounts(t, next, 1, 2)

			srv.Publish("n", "4", "")
			if el := c.want("<item id='4'/>"); el.Child("delay").XMLName.Local != "" {
				t.Errorf("got %s", el)
			}
			c.send("<message/>")
			c.sm("r")
			c.want("<a ", "h='3'")
			c.sm("a h='4'")
			c.sm("r")
			c.want("<a ")
			wantCounts(t, next, 4, 0)
			// It can be resumed as often as need be.
			next.Reset()
			reconnect(t, srv).wantResumed(id, 4, 3)
		})
	}
}

// TestResumeDropsConnection checks what the old connection sees: its end, but
// nothing if it hangs.
func TestResumeDropsConnection(t *testing.T) {
	srv, c, _, id := subscribed(t, Config{StreamManagement: managed})
	reconnect(t, srv).wantResumed(id, 0, 0)
	c.wantEnd(0)

	srv, c, s, id := subscribed(t, Config{StreamManagement: managed})
	s.Hang()
	reconnect(t, srv).wantResumed(id, 0, 0)
	c.wantSilence()
}

func TestNotResumed(t *testing.T) {
	for name, end := range map[string]func(*client, *Session){
		"closed by client": func(c *client, _ *Session) {
			c.send("</stream:stream>")
			_, _ = io.ReadAll(c.conn)
		},
		"closed by server": func(_ *client, s *Session) { s.Close() },
		"stream error":     func(_ *client, s *Session) { s.StreamError("system-shutdown", "") },
		"see other host":   func(_ *client, s *Session) { s.SeeOtherHost("[::1]:5222") },
		"closed later":     func(_ *client, s *Session) { s.Reset(); s.Close() },
		"forgotten":        func(_ *client, s *Session) { s.Reset(); s.srv.ForgetSessions() },
		"forgotten before": func(_ *client, s *Session) { s.srv.ForgetSessions(); s.Reset() },
		"forgotten, there": func(_ *client, s *Session) { s.srv.ForgetSessions() },
		"restarted":        func(_ *client, s *Session) { s.srv.Restart() },
		"restarted later":  func(_ *client, s *Session) { s.Reset(); s.srv.Restart() },
		"bound again": func(c *client, s *Session) {
			s.Reset()
			c = login(c.t, s.srv, "r")
			s.srv.Publish("n", "1", "")
			c.want("<item id='1'/>")
			if err := s.Send("<message/>"); !errors.Is(err, net.ErrClosed) {
				c.t.Errorf("got %v", err)
			}
		},
		"bound again, there": func(c *client, s *Session) {
			login(c.t, s.srv, "r")
			c.wantStreamError("conflict")
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, c, s, id := subscribed(t, Config{StreamManagement: managed})
			end(c, s)
			if got := srv.Hibernating(); len(got) != 0 {
				t.Errorf("hibernating %q", got)
			}
			reconnect(t, srv).wantNotResumed(id)
			if n := srv.Resumes(); n != 0 {
				t.Errorf("%d resumptions", n)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	srv, _, _, id := subscribed(t, Config{StreamManagement: StreamManagement{Offered: true, Max: time.Nanosecond}})
	c := reconnect(t, srv)
	c.wantResumed(id, 0, 0) // while there is a connection it does not expire
	waitSession(t, srv).Reset()
	c = reconnect(t, srv)
	c.wantNotResumed(id)
	c.enable()
	waitSession(t, srv).Reset()
	if got := srv.Hibernating(); len(got) != 0 {
		t.Errorf("hibernating %q", got)
	}
}

func TestForgottenSessionGoesOn(t *testing.T) {
	srv, c, _, _ := subscribed(t, Config{StreamManagement: managed})
	srv.ForgetSessions()
	srv.Publish("n", "1", "")
	c.want("<item id='1'/>")
	c.want("<r ")
	c.sm("r")
	c.want("<a ")
}

func TestResumeOfOthers(t *testing.T) {
	srv, _, s, id := subscribed(t, Config{StreamManagement: managed})
	s.Reset()
	for _, guess := range []string{"guess", ""} {
		reconnect(t, srv).wantNotResumed(guess)
	}
	bob := authenticate(t, srv, "bob", "hunter2")
	bob.open()
	bob.wantNotResumed(id)
	reconnect(t, srv).wantResumed(id, 0, 0)
}

func TestResumeWithWrongH(t *testing.T) {
	for h, condition := range map[string]string{"1": "undefined-condition", "x": "invalid-xml"} {
		srv, _, s, id := subscribed(t, Config{StreamManagement: managed})
		s.Reset()
		c := reconnect(t, srv)
		c.sm("resume previd='" + id + "' h='" + h + "'")
		c.wantStreamError(condition)
		if condition == "undefined-condition" {
			reconnect(t, srv).wantNotResumed(id)
		}
	}
}

func TestHibernating(t *testing.T) {
	srv, c, s, id := subscribed(t, Config{StreamManagement: managed})
	c.send("<presence/>")
	c.sm("r")
	c.want("<a ")
	s.Reset()
	if got := srv.Hibernating(); !slices.Equal(got, []string{"alice@localhost/r"}) || len(srv.Sessions()) != 0 {
		t.Errorf("hibernating %q, sessions %v", got, srv.Sessions())
	}
	if got := srv.Subscribers("n"); !slices.Equal(got, []string{"alice@localhost/r"}) {
		t.Errorf("subscribers %q", got)
	}
	// What is sent to the account goes to the session too, which is available.
	srv.CreateNode("m", NodeConfig{})
	other := loginAs(t, srv, "alice", "secret", "other")
	other.iq("set", open+"<subscribe node='m' jid='alice@localhost'/>"+shut)
	other.want("subscription='subscribed'")
	srv.Publish("m", "1", "")
	wantCounts(t, s, 0, 1)
	c = reconnect(t, srv)
	c.wantResumed(id, 0, 1)
	c.wantMessages("<item id='1'/>")
	srv.Publish("m", "2", "")
	c.wantMessages("<item id='2'/>")
}

// TestAnswerAfterResume checks that a request gets its answer although the
// session has another connection by then.
func TestAnswerAfterResume(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		asked := make(chan func(), 1)
		srv, c, s, id := subscribed(t, Config{StreamManagement: managed, OnIQ: func(s *Session, iq IQ) bool {
			if iq.ID == "late" {
				asked <- func() { s.Reply(iq, "") }
			}
			return iq.ID == "late"
		}})
		c.send("<iq type='get' id='late'><ping xmlns='urn:xmpp:ping'/></iq>")
		answer := <-asked
		s.Reset()
		if !resumed {
			answer()
		}
		c = reconnect(t, srv)
		c.wantResumed(id, 0, 1)
		if resumed {
			answer()
		}
		if el := c.want("id='late'", "to='alice@localhost/r'"); len(el.Children) != 0 {
			t.Errorf("got %s, want no delay", el)
		}
		c.want("<r ")
		wantCounts(t, s, 0, 1)
		if err := s.Send("<a xmlns='urn:a'/>"); err == nil {
			t.Error("sent what is not a stanza over a connection that is gone")
		}
	}
}

func TestMaxQueue(t *testing.T) {
	cfg := Config{StreamManagement: StreamManagement{Offered: true, MaxQueue: 2}}
	srv, c, s, id := subscribed(t, cfg)
	publish := func(n int) {
		for i := range n {
			srv.Publish("n", fmt.Sprint(i), "")
		}
	}
	publish(3)
	c.wantMessages("id='0'")
	s.Reset()
	c = reconnect(t, srv)
	c.wantResumed(id, 1, 0) // with that, it is not too many
	waitSession(t, srv).Reset()

	publish(1)
	c = reconnect(t, srv)
	c.askToResume(id, 1)
	if n, err := c.conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("got %d bytes and %v, want the end of the connection", n, err)
	}
	if err := s.Send("<message/>"); err == nil {
		t.Error("the session has not ended")
	}
	reconnect(t, srv).wantNotResumed(id)
}

func TestFaultsWhileResuming(t *testing.T) {
	for name, tc := range map[string]struct {
		start, stop func(*Server)
		check       func(*client)
		resumes     int // which the server has done
	}{
		"hang": {
			func(srv *Server) { srv.SetSilentAt(AtResume) }, func(srv *Server) { srv.SetSilentAt(Never) },
			func(c *client) { c.wantSilence() }, 1,
		},
		"reset": {
			func(srv *Server) { srv.SetResetAt(AtResume) }, func(srv *Server) { srv.SetResetAt(Never) },
			func(c *client) {
				if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					c.t.Errorf("got %v, want a reset", err)
				}
			}, 0,
		},
		"cut": {
			func(srv *Server) { srv.SetCutAfter(0) }, func(srv *Server) { srv.SetCutAfter(-1) },
			func(c *client) { c.wantEnd(0) }, 1,
		},
		"cut after the answer": {
			func(srv *Server) { srv.SetCutAfter(200) }, func(srv *Server) { srv.SetCutAfter(-1) },
			func(c *client) { c.want("<resumed"); c.wantEnd(-1) }, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _, s, id := subscribed(t, Config{StreamManagement: managed})
			s.Reset()
			srv.Publish("n", "1", "<a xmlns='urn:a'>"+strings.Repeat("x", 300)+"</a>")
			tc.start(srv)
			c := reconnect(t, srv)
			c.askToResume(id, 0)
			tc.check(c)
			if n := srv.Resumes(); n != tc.resumes {
				t.Errorf("%d resumptions, want %d", n, tc.resumes)
			}
			tc.stop(srv)
			c = reconnect(t, srv)
			c.wantResumed(id, 0, 0)
			c.wantMessages("<item id='1'>")
			c.want("<r ")
		})
	}
}

// wantEnd reads so many bytes, or any number if it is negative, and then the end
// of the connection.
func (c *client) wantEnd(n int) {
	c.t.Helper()
	got, err := io.ReadAll(c.conn)
	if n >= 0 && len(got) != n || err != nil {
		c.t.Fatalf("got %q and %v, want %d bytes", got, err, n)
	}
}
