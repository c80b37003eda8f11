package xmpptest

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConflict(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{})
	first := login(t, srv, "r")
	first.subscribe("n", "r")
	second := login(t, srv, "r")
	first.want("<conflict", "Replaced by new connection")
	if _, err := first.read(); err != io.EOF {
		t.Errorf("got %v, want the end of the stream", err)
	}
	if n := len(srv.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
	srv.Publish("n", "1", "")
	second.want("<item id='1'/>")
}

// reach takes c to a stage, where the server has nothing to read any more.
func reach(c *client, stage Stage) {
	c.t.Helper()
	if stage == AtAccept {
		return
	}
	header := "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='localhost'>"
	if stage == AtStreamHeader {
		c.send(header)
		return
	}
	if stage == AtStartTLS {
		c.open()
		c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		return
	}
	if stage == AtTLSHandshake {
		c.open()
		c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		c.want("<proceed")
		return
	}
	c.startTLS()
	c.open()
	if stage == AtSASL {
		c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b64("\x00alice\x00secret") + "</auth>")
		return
	}
	c.auth("PLAIN", "\x00alice\x00secret")
	c.open()
	if stage == AtResume {
		c.send("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>")
		return
	}
	c.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
}

func TestSilence(t *testing.T) {
	srv := start(t, Config{StreamManagement: StreamManagement{Offered: true}})
	for stage := AtAccept; stage <= AtBind; stage++ {
		srv.SetSilentAt(stage)
		c := dial(t, srv)
		reach(c, stage)
		if stage == AtTLSHandshake {
			c.send("\x16\x03\x01") // the start of it
		}
		c.wantSilence()
	}
	srv.SetSilentAt(Never)
	login(t, srv, "r")
}

func TestResetAt(t *testing.T) {
	srv := start(t, Config{StreamManagement: StreamManagement{Offered: true}})
	// At AtAccept dialing may already see it, as with SetRefusing.
	for stage := AtStreamHeader; stage <= AtBind; stage++ {
		srv.SetResetAt(stage)
		c := dial(t, srv)
		reach(c, stage)
		if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("stage %d: got %v, want a reset", stage, err)
		}
	}
	if n := srv.Binds(); n != 0 {
		t.Errorf("%d binds", n)
	}
	srv.SetResetAt(Never)
	login(t, srv, "r")
}

func TestRefusing(t *testing.T) {
	srv := start(t, Config{})
	srv.SetRefusing(true)
	conn, err := net.Dial("tcp", srv.Addr()) // may already see the reset
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	srv.SetRefusing(false)
	login(t, srv, "r")
}

func TestStreamErrorAndClose(t *testing.T) {
	srv := start(t, Config{})
	c := login(t, srv, "r")
	s := waitSession(t, srv)
	s.StreamError("system-shutdown", "Bye & bye")
	c.want("<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>", "Bye &amp; bye")
	if _, err := c.read(); err != io.EOF {
		t.Errorf("got %v, want the end of the stream", err)
	}
	if _, err := c.conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want the end of the connection", err)
	}
	if err := s.Send("<message/>"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}

	c = login(t, srv, "r")
	waitSession(t, srv).Close()
	if _, err := c.read(); err != io.EOF {
		t.Errorf("got %v, want the end of the stream", err)
	}
	if len(srv.Sessions()) != 0 {
		t.Error("still bound")
	}
}

func TestSeeOtherHost(t *testing.T) {
	srv := start(t, Config{})
	c := login(t, srv, "r")
	waitSession(t, srv).SeeOtherHost("[::1]:5222")
	c.want("<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[::1]:5222</see-other-host>")
	if _, err := c.read(); err != io.EOF {
		t.Errorf("got %v, want the end of the stream", err)
	}
	if len(srv.Sessions()) != 0 {
		t.Error("still bound")
	}
}

func TestReset(t *testing.T) {
	srv := start(t, Config{})
	c := login(t, srv, "r")
	waitSession(t, srv).Reset()
	if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

func TestCutAfter(t *testing.T) {
	srv := start(t, Config{})
	for _, n := range []int{0, 1, 20} {
		c := login(t, srv, "r")
		s := waitSession(t, srv)
		s.CutAfter(n)
		_ = s.Send("<message id='long enough to be cut'/>")
		got, err := io.ReadAll(c.conn)
		if len(got) != n || err != nil {
			t.Errorf("got %q and %v, want %d bytes", got, err, n)
		}
	}
}

func TestSetCutAfter(t *testing.T) {
	srv := start(t, Config{})
	srv.SetCutAfter(20)
	c := authenticate(t, srv, "alice", "secret")
	c.open()
	c.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	got, err := io.ReadAll(c.conn)
	if len(got) != 20 || err != nil {
		t.Errorf("got %q and %v, want 20 bytes", got, err)
	}
	srv.SetCutAfter(-1)
	login(t, srv, "r")
}

func TestHang(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{})
	c := login(t, srv, "r")
	c.subscribe("n", "r")
	waitSession(t, srv).Hang()
	srv.Publish("n", "1", "")
	for range 32 { // far more than the buffers hold, if nobody read it
		c.send("<message>" + strings.Repeat(" ", 1<<20) + "</message>")
	}
	c.wantSilence()
	if len(srv.Sessions()) != 1 {
		t.Error("the server has noticed")
	}
	c = login(t, srv, "r")
	srv.Publish("n", "2", "")
	c.want("<item id='2'/>")
}

func TestStopReading(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{})
	c := login(t, srv, "r")
	c.subscribe("n", "r")
	waitSession(t, srv).StopReading()
	c.tcp.SetWriteDeadline(time.Now().Add(time.Second))
	var err error
	for range 100 {
		if _, err = io.WriteString(c.conn, strings.Repeat(" ", 1<<20)); err != nil {
			break
		}
	}
	if !isTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
	srv.Publish("n", "1", "")
	c.want("<item id='1'/>")
}

// TestSlowReader checks that a client which does not read stops nobody.
func TestSlowReader(t *testing.T) {
	srv := start(t, Config{})
	srv.CreateNode("n", NodeConfig{})
	srv.CreateNode("m", NodeConfig{})
	slow, quick := login(t, srv, "slow"), login(t, srv, "quick")
	slow.subscribe("n", "slow")
	quick.subscribe("m", "quick")
	big := "<a xmlns='urn:a'>" + strings.Repeat("x", 1<<20) + "</a>"
	for range 32 {
		srv.Publish("n", "", big)
	}
	srv.Publish("m", "1", "")
	quick.want("<item id='1'/>")
	// Ending it must not take for ever either.
	waitSession(t, srv).Close()
}

func TestOnIQ(t *testing.T) {
	srv := start(t, Config{OnIQ: func(s *Session, iq IQ) bool {
		switch iq.ID {
		case "swallow":
			return true
		case "fail":
			s.Fail(iq, StanzaError{"cancel", "not-allowed", "closed-node"})
			return true
		}
		return false
	}})
	c := login(t, srv, "r")
	ping := func(id string) { c.send("<iq type='get' id='" + id + "'><ping xmlns='urn:xmpp:ping'/></iq>") }
	ping("swallow")
	ping("fail")
	ping("pass")
	c.want("id='fail'", "<closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/>")
	c.want("id='pass'", "type='result'")
}

func TestReceived(t *testing.T) {
	srv := start(t, Config{})
	c := login(t, srv, "r")
	s := waitSession(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.send("<presence xml:lang='de'/><message to='x'><a xmlns='urn:a'>&amp;</a></message>")
	got, err := s.WaitReceived(ctx, "urn:a")
	if err != nil || got != "<message to='x'><a xmlns='urn:a'>&amp;</a></message>" {
		t.Errorf("got %q, %v", got, err)
	}
	if all := s.Received(); len(all) != 2 || all[0] != "<presence xml:lang='de'/>" {
		t.Errorf("got %q", all)
	}
	cancel()
	if _, err := s.WaitReceived(ctx, "nothing"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := srv.WaitSession(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
