package xmpptest

import (
	"io"
	"strings"
	"testing"
	"time"
)

var managed = StreamManagement{Offered: true}

// sm writes an element of stream management.
func (c *client) sm(element string) {
	c.t.Helper()
	name, rest, _ := strings.Cut(element, " ")
	c.send("<" + name + " xmlns='" + nsSM + "' " + rest + "/>")
}

// enable begins with stream management, and returns by what to resume it.
func (c *client) enable() (id string) {
	c.t.Helper()
	c.sm("enable resume='true'")
	el := c.want("<enabled xmlns='urn:xmpp:sm:3'", "resume='true'")
	if el.Attr("id") == "" {
		c.t.Fatalf("got %s, want an id", el)
	}
	return el.Attr("id")
}

// wantMessages reads these messages, and passes over requests for
// acknowledgement.
func (c *client) wantMessages(parts ...string) {
	c.t.Helper()
	for _, part := range parts {
		el := c.next()
		for el.XMLName.Local == "r" {
			el = c.next()
		}
		if el.XMLName.Local != "message" || !strings.Contains(el.String(), part) {
			c.t.Fatalf("got %s, want a message with %q", el, part)
		}
	}
}

func (c *client) wantStreamError(condition string) {
	c.t.Helper()
	c.want("<" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'")
	if _, err := c.read(); err != io.EOF {
		c.t.Fatalf("got %v, want the end of the stream", err)
	}
}

func wantCounts(t *testing.T, s *Session, acked uint32, unacked int) {
	t.Helper()
	if h, n := s.Acknowledged(), s.Unacknowledged(); h != acked || n != unacked {
		t.Fatalf("%d acknowledged and %d not, want %d and %d", h, n, acked, unacked)
	}
}

func TestAcknowledgements(t *testing.T) {
	srv := start(t, Config{StreamManagement: managed})
	c := authenticate(t, srv, "alice", "secret")
	if features := c.open().String(); !strings.Contains(features, "<sm xmlns='urn:xmpp:sm:3'/>") {
		t.Errorf("offered %s", features)
	}
	c.bind("r")
	s := waitSession(t, srv)
	send := func(stanza string) {
		t.Helper()
		if err := s.Send(stanza); err != nil {
			t.Fatal(err)
		}
	}
	send("<message id='0'/>") // not counted yet
	c.want("id='0'")
	c.send("<message/>")
	c.sm("r") // means nothing yet
	c.sm("enable resume='1'")
	c.want("<enabled", "max='600'")
	wantCounts(t, s, 0, 0)

	send("<message id='1'/>")
	c.want("id='1'")
	c.want("<r xmlns='urn:xmpp:sm:3'")
	send("<presence id='2'/>") // no second request
	send("<a xmlns='urn:a'/>") // no stanza
	send("<iq id='3' type='set'/>")
	c.want("id='2'")
	c.want("<a xmlns='urn:a'")
	c.want("id='3'")
	wantCounts(t, s, 0, 3)
	c.sm("a h='1'")
	c.want("<r ") // about the two that came after the last
	wantCounts(t, s, 1, 2)
	c.sm("a h='2'") // it was asked all there is to ask
	c.sm("a h='3'")

	c.send("<message/><presence/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
	c.want("id='p'")
	c.want("<r ")
	c.sm("r")
	c.want("<a xmlns='urn:xmpp:sm:3' h='3'/>")
	wantCounts(t, s, 3, 1)
}

func TestWrongAcknowledgement(t *testing.T) {
	for ack, condition := range map[string]string{
		"a h='3'":          "undefined-condition",
		"a h='0'":          "undefined-condition", // it was 1 before
		"a h='4294967295'": "undefined-condition",
		"a h='x'":          "invalid-xml",
		"a":                "invalid-xml",
	} {
		srv := start(t, Config{StreamManagement: managed})
		c := login(t, srv, "r")
		id := c.enable()
		s := waitSession(t, srv)
		_ = s.Send("<message id='1'/>")
		c.wantMessages("id='1'")
		c.want("<r ")
		c.sm("a h='1'")
		_ = s.Send("<message id='2'/>")
		c.wantMessages("id='2'")
		c.want("<r ")
		c.sm(ack)
		c.wantStreamError(condition)
		reconnect(t, srv).wantNotResumed(id)
	}
}

func TestEnable(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg           StreamManagement
		request, want string
	}{
		"resumption":     {StreamManagement{Offered: true, Max: time.Minute}, "enable resume='true'", "max='60'"},
		"not asked for":  {managed, "enable", "<enabled xmlns='urn:xmpp:sm:3'/>"},
		"no resumption":  {StreamManagement{Offered: true, NoResume: true}, "enable resume='true'", "<enabled xmlns='urn:xmpp:sm:3'/>"},
		"refused":        {StreamManagement{Offered: true, Refused: true}, "enable resume='true'", smFailed("service-unavailable")},
		"resume, bound":  {managed, "resume h='0' previd='x'", smFailed("unexpected-request")},
		"not offered":    {StreamManagement{}, "enable resume='true'", "type='result'"},
		"resume, not of": {StreamManagement{}, "resume h='0' previd='x'", smFailed("unexpected-request")},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, Config{StreamManagement: tc.cfg})
			c := login(t, srv, "r")
			c.sm(tc.request)
			c.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
			c.want(tc.want)
		})
	}
}

func TestEnableAtTheWrongTime(t *testing.T) {
	srv := start(t, Config{StreamManagement: managed})
	c := reconnect(t, srv)
	c.sm("enable resume='true'")
	c.want(smFailed("unexpected-request"))
	c.bind("r")
	id := c.enable()
	c.sm("enable resume='true'")
	c.want(smFailed("unexpected-request"))
	reconnect(t, srv).wantResumed(id, 0, 0)
}

func TestStreamManagementIsOff(t *testing.T) {
	c := authenticate(t, start(t, Config{}), "alice", "secret")
	if features := c.open().String(); strings.Contains(features, nsSM) {
		t.Errorf("offered %s", features)
	}
	c.sm("resume h='0' previd='x'")
	c.wantStreamError("not-authorized")
}

func TestSetStreamManagement(t *testing.T) {
	srv := start(t, Config{StreamManagement: managed})
	c := login(t, srv, "r")
	srv.SetStreamManagement(StreamManagement{Offered: true, Refused: true})
	id := c.enable()
	c = reconnect(t, srv)
	c.wantResumed(id, 0, 0)
	c = login(t, srv, "r")
	c.sm("enable resume='true'")
	c.want("<failed")
}

func TestCountersWrapAround(t *testing.T) {
	l := ledger{acked: 1<<32 - 2}
	for range 4 {
		l.push("<message/>")
	}
	if !l.settle(1) || len(l.unacked) != 1 || l.sent() != 2 {
		t.Errorf("got %+v", l)
	}
	if l.settle(1<<32 - 1) {
		t.Error("took less than before")
	}
}

func TestSentAgain(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 36, 54, 383661999, time.FixedZone("", 3600))
	const delayed = "<delay xmlns='urn:xmpp:delay' from='a@b' stamp='2026-11-22T11:36:54.383661Z'/>"
	for stanza, want := range map[string]string{
		"<message id='1'><body>x</body></message>\n": "<message id='1'><body>x</body>" + delayed + "</message>",
		"<message/>":          "<message>" + delayed + "</message>",
		"<presence id='1' />": "<presence id='1' >" + delayed + "</presence>",
		"<iq type='set'/>":    "<iq type='set'/>",
		"<message><delay xmlns='urn:xmpp:delay'/></message>": "<message><delay xmlns='urn:xmpp:delay'/></message>",
		"<message><broken/>": "<message><broken/>",
		"<message><delay xmlns='urn:other'>x</delay></message>": "<message><delay xmlns='urn:other'>x</delay>" + delayed + "</message>",
	} {
		if got := (sentStanza{stanza, at}).again("a@b"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
