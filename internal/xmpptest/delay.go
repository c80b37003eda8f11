package xmpptest

import "time"

const nsDelay = "urn:xmpp:delay"

// delay returns what tells when a stanza was first sent (XEP-0203), in the name
// of from, which may be empty.
func delay(from string, at time.Time) string {
	return "<delay xmlns='" + nsDelay + "'" + attrIf("from", from) + attr("stamp", at.UTC().Format("2006-01-02T15:04:05.000000Z")) + "/>"
}
