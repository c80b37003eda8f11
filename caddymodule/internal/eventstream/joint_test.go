package eventstream

import (
	"fmt"
	"testing"
)

func TestJointWritesEntries(t *testing.T) {
	one, two := NewLog("one", wide, func() {}), NewLog("two", wide, func() {})
	j := NewJoint(endID(one), endID(two))
	at := func() string { return cutPlaces(endID(one)) + "," + cutPlaces(endID(two)) }
	for _, tt := range []struct {
		name          string
		log           int
		item          string // that is published; none for an event without one
		event         Event
		before, after string
		want          string // %s is both places
	}{
		{"an item", 0, "a", Event{Data: "x"}, "<", ">", "id: a,%s\ndata: <x>\n\n"},
		{"of the other log", 1, "b c", Event{Data: "y"}, "", "", "id: b%%20c,%s\ndata: y\n\n"},
		{"several lines", 0, "a", Event{Data: "1\r\n2\r3\n\n4"}, "<", ">", "id: a,%s\ndata: <1\ndata: 2\ndata: 3\ndata: \ndata: 4>\n\n"},
		{"empty lines", 0, "a", Event{Data: "\n"}, "<", ">", "id: a,%s\ndata: <\ndata: >\n\n"},
		{"nothing", 0, "a", Event{}, "<", ">", "id: a,%s\ndata: <>\n\n"},
		{"nothing around nothing", 0, "a", Event{}, "", "", "id: a,%s\ndata: \n\n"},
		{"a named event", 1, "", Event{Name: "retract", Data: "z"}, "<", ">", "event: retract\nid: b%%20c,%s\ndata: <z>\n\n"},
		{"what looks like fields", 0, "a", Event{Name: "data", Data: "\ndata: x\nid: y"}, "<", ">",
			"event: data\nid: a,%s\ndata: <\ndata: data: x\ndata: id: y>\n\n"},
		{"blanks", 0, "a", Event{Data: " \t "}, " ", " ", "id: a,%s\ndata:   \t  \n\n"},
	} {
		l := []*Log{one, two}[tt.log]
		if tt.item != "" {
			l.Publish(version(tt.item), tt.event)
		} else {
			l.Append(tt.event)
		}
		entries := wantEntries(t, l, end(l)-1)
		got := string(j.AppendEntry([]byte("before"), tt.log, entries[0], tt.before, tt.after))
		if want := "before" + fmt.Sprintf(tt.want, at()); got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

// TestJointIDHoldsAllPlaces: from each ID of a stream of several sources, all of
// them go on where the stream was.
func TestJointIDHoldsAllPlaces(t *testing.T) {
	logs := []*Log{hear(NewLog("one", wide, func() {}), "a"), NewLog("two", wide, func() {}), hear(NewLog("three", wide, func() {}), "x y")}
	at := []Position{1, 0, 0} // where the stream starts
	j := NewJoint(logs[0].ID(1), logs[1].ID(0), logs[2].ID(0))
	wantPlaces := func(id string) {
		t.Helper()
		for i, l := range logs {
			if got := l.Resume(id); !got.Found || got.ID != l.ID(at[i]) {
				t.Errorf("log %d goes on at %q after %q, want %q", i, got.ID, id, l.ID(at[i]))
			}
		}
	}
	id := j.ID(logs[0].ID(1))
	wantPlaces(id)
	if item, _ := cutID(id); item != "a" {
		t.Errorf("the first id is %q, want the item a", id)
	}
	hear(logs[0], "b -b")
	hear(logs[1], "c")
	for _, i := range []int{2, 0, 1, 0, 2} {
		e := wantEntries(t, logs[i], at[i])[0]
		at[i]++
		events, _ := parse(string(j.AppendEntry(nil, i, e, "", "")))
		wantPlaces(events[0].id)
		wantVisible(t, events[0].id)
		wantItem, _ := cutID(e.id)
		if item, _ := cutID(events[0].id); item != wantItem {
			t.Errorf("the id is %q, want the item %q", events[0].id, wantItem)
		}
	}
}

// TestJointLeavesEntriesAlone: they are shared by all streams.
func TestJointLeavesEntriesAlone(t *testing.T) {
	l := hear(newLog(), "a")
	e := wantEntries(t, l, 0)[0]
	before := string(e.Body())
	j := NewJoint(l.ID(0))
	j.AppendEntry(make([]byte, 0, 1<<10), 0, e, "<<<", ">>>")
	if got := string(e.Body()); got != before {
		t.Errorf("the entry is %q, want %q", got, before)
	}
}

// FuzzJoint checks that around whatever is in the data, a page gets what was put
// there, and nothing else.
func FuzzJoint(f *testing.F) {
	for _, data := range []string{"", "x", "a\nb", "\r", "\r\n\n", "data: x\n\nid: y", "\ndata: "} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		l := newLog()
		l.Publish(version("a"), Event{Data: data})
		e := wantEntries(t, l, 0)[0]
		alone, _ := parse(string(e.Body()))
		got, _ := parse(string(NewJoint(l.ID(0)).AppendEntry(nil, 0, e, "<", ">")))
		if len(got) != 1 || got[0] != (dispatched{alone[0].name, alone[0].id, "<" + alone[0].data + ">"}) {
			t.Errorf("got %q, want %q in brackets", got, alone)
		}
	})
}
