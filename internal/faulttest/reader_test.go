package faulttest

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const one = "<item xmlns='http://jabber.org/protocol/pubsub' id='a.0'><e xmlns='urn:faulttest' mark='a.7'>some\ntext</e></item>"
	wrap := func(s string) string { return "<items node='a'>" + s + "</items>" }
	for _, tt := range []struct {
		m       message
		several bool
		want    entry
	}{
		{message{"message", "", one}, false, entry{what: item, id: "a.0", mark: "a.7"}},
		{message{"message", "", wrap(one)}, true, entry{what: item, id: "a.0", mark: "a.7"}},
		{message{"retract", "", "<retract id='a.0'/>"}, false, entry{what: retract, id: "a.0"}},
		{message{"retract", "", wrap("<retract id='a.0'/>")}, true, entry{what: retract, id: "a.0"}},
		{message{"gap", "", `{"node":"a","reason":"x"}`}, false, entry{what: gap, reason: "x"}},
		{message{"gap", "", `{"node":"b","reason":"x"}`}, false, entry{what: odd}},
		{message{"message", "", one}, true, entry{what: odd}},
		{message{"message", "", wrap(one)}, false, entry{what: odd}},
		{message{"message", "", strings.ReplaceAll(one, "a.0", "b.0")}, false, entry{what: odd}},
		{message{"message", "", strings.ReplaceAll(one, "\n", "")}, false, entry{what: odd}},
		{message{"message", "", one + one}, false, entry{what: odd}},
		{message{"message", "", one[1:]}, false, entry{what: odd}},
		{message{"message", "", strings.ReplaceAll(wrap(one), "'a'", "'b'")}, true, entry{what: odd}},
		{message{"message", "", "<retract id='a.0'/>"}, false, entry{what: odd}},
		{message{"purge", "", "<purge node='a'/>"}, false, entry{what: purge}},
		{message{"delete", "", "<delete node='a'/>"}, false, entry{what: odd}},
		{message{"subscription", "", "<subscription node='a' subscription='none'/>"}, false, entry{what: odd}},
	} {
		e := read(tt.m, "a", tt.several)
		if e == nil {
			t.Errorf("%q is nothing", tt.m)
			continue
		}
		if e.what == odd && tt.want.what == odd {
			continue
		}
		if *e != tt.want {
			t.Errorf("%q is %+v, want %+v", tt.m, *e, tt.want)
		}
	}
	if e := read(message{"subscription", "", "<subscription node='a' subscription='subscribed'/>"}, "a", false); e != nil {
		t.Errorf("a subscription is %+v", e)
	}
}

func TestGlance(t *testing.T) {
	for _, tt := range []struct {
		m    message
		node string
		n    int
		end  bool
	}{
		{message{"message", "", "<items node='x'><item id='a.0'><e mark='a.7'/></item></items>"}, "a", 7, false},
		{message{"message", "", `<item id="a.0"><e mark="a.7"/></item>`}, "a", 7, false},
		{message{"message", "", "<item id='a.end'><e mark='a.end'/></item>"}, "a", -1, true},
		{message{"retract", "", "<retract id='a.7'/>"}, "a", -1, false},
		{message{"gap", "", `{"node":"a","reason":"x"}`}, "a", -1, false},
		{message{"subscription", "", "<subscription node='a' subscription='subscribed'/>"}, "a", -1, false},
		{message{"purge", "", "<purge node='a'/>"}, "a", -1, false},
		{message{"message", "", "what"}, "", -1, false},
	} {
		if node, n, end := glance(tt.m); node != tt.node || n != tt.n || end != tt.end {
			t.Errorf("%q: %q %d %v", tt.m, node, n, end)
		}
	}
}
