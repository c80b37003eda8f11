package xmpptest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ledger counts the stanzas of a session, and keeps those which the client may
// not have got. It outlives connections. The counters wrap around, as they do
// in XEP-0198.
type ledger struct {
	id        string       // resumes the session; empty if nothing does
	handled   uint32       // stanzas from the client
	acked     uint32       // stanzas to the client, as it says
	unacked   []sentStanza // those it has not acknowledged, the oldest first
	requested bool         // an acknowledgement is on its way
	asked     uint32       // what was sent when it was requested
}

// sentStanza is a stanza and when it was first sent.
type sentStanza struct {
	stanza string
	at     time.Time
}

func (l *ledger) push(stanza string) { l.unacked = append(l.unacked, sentStanza{stanza, time.Now()}) }

// sent returns how many stanzas were sent so far.
func (l *ledger) sent() uint32 { return l.acked + uint32(len(l.unacked)) }

// request tells whether to ask for an acknowledgement now: one is missing, none
// is on its way, and something was sent since the last was asked for.
func (l *ledger) request() bool {
	if len(l.unacked) == 0 || l.requested || l.asked == l.sent() {
		return false
	}
	l.requested, l.asked = true, l.sent()
	return true
}

// settle drops the stanzas that h acknowledges. It returns false if there never
// were so many, or if h is less than before.
func (l *ledger) settle(h uint32) bool {
	l.requested = false
	n := h - l.acked
	if n > uint32(len(l.unacked)) {
		return false
	}
	l.acked, l.unacked = h, l.unacked[n:]
	return true
}

// again returns the stanza as it is sent once more. Like Prosody it tells of
// the delay, in the name of the account, of anything but an IQ.
func (s sentStanza) again(account string) string {
	raw := strings.TrimSpace(s.stanza)
	name := stanzaName(raw)
	if name == "iq" || strings.Contains(raw, "'"+nsDelay+"'") {
		return raw
	}
	if start, ok := strings.CutSuffix(raw, "/>"); ok && !strings.Contains(start, ">") {
		return start + ">" + delay(account, s.at) + "</" + name + ">"
	}
	if content, ok := strings.CutSuffix(raw, "</"+name+">"); ok {
		return content + delay(account, s.at) + "</" + name + ">"
	}
	return raw // a test has sent it broken
}

// stanzaName returns which kind of stanza raw begins with, or "".
func stanzaName(raw string) string {
	tag, ok := strings.CutPrefix(strings.TrimSpace(raw), "<")
	end := strings.IndexAny(tag, " \t\r\n/>")
	if !ok || end < 0 || !isStanza(tag[:end]) {
		return ""
	}
	return tag[:end]
}

// isStanza tells the elements that are counted from all others.
func isStanza(name string) bool { return name == "message" || name == "presence" || name == "iq" }

func attrH(h uint32) string { return attr("h", strconv.FormatUint(uint64(h), 10)) }

func parseH(value string) (uint32, error) {
	h, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("reading the number of handled stanzas: %w", err)
	}
	return uint32(h), nil
}
