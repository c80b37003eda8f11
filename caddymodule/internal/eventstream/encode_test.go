package eventstream

import (
	"strings"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		event Event
		want  string
	}{
		{Event{ID: "1", Data: "x"}, "id: 1\ndata: x\n\n"},
		{Event{Name: "gap", ID: "1", Data: "x"}, "event: gap\nid: 1\ndata: x\n\n"},
		{Event{ID: "1"}, "id: 1\ndata: \n\n"},
		{Event{ID: "1", Data: "a\nb\rc\r\nd"}, "id: 1\ndata: a\ndata: b\ndata: c\ndata: d\n\n"},
		{Event{ID: "1", Data: "\n\r\n\r"}, "id: 1\ndata: \ndata: \ndata: \ndata: \n\n"},
		{Event{ID: "1", Data: "a\n\rb"}, "id: 1\ndata: a\ndata: \ndata: b\n\n"},
		{Event{ID: "1", Data: " \tblank "}, "id: 1\ndata:  \tblank \n\n"},
		{Event{ID: "1", Data: "a\n\nevent: x\nid: 2\ndata: y\n\n:c\nretry: 1"},
			"id: 1\ndata: a\ndata: \ndata: event: x\ndata: id: 2\ndata: data: y\ndata: \ndata: :c\ndata: retry: 1\n\n"},
	} {
		if got := string(tt.event.Append(nil)); got != tt.want {
			t.Errorf("%+v is written as %q, want %q", tt.event, got, tt.want)
		}
	}
}

func TestAppendExtends(t *testing.T) {
	if got := string(Event{ID: "1", Data: "x"}.Append([]byte(":\n"))); got != ":\nid: 1\ndata: x\n\n" {
		t.Errorf("got %q", got)
	}
}

func TestLinesWithoutEvents(t *testing.T) {
	stream := Heartbeat + Comment("text") + Retry(1500*time.Millisecond)
	if want := ":\n: text\nretry: 1500\n"; stream != want {
		t.Errorf("%q, want %q", stream, want)
	}
	if events, retry := parse(stream); len(events) > 0 || retry != 1500*time.Millisecond {
		t.Errorf("parsed as %v, retry %v", events, retry)
	}
}

// FuzzAppend checks that whatever is in the data, a page gets it, and nothing
// else.
func FuzzAppend(f *testing.F) {
	for _, data := range []string{"", "x", "a\nb", "\r", "\r\n\n", "data: x\n\nid: y", ":", "\uFEFF", " x", "\x00", "\u2028\u0085"} {
		f.Add("retract", "1", data)
		f.Add("", "%0A%00", data)
	}
	f.Fuzz(func(t *testing.T, name, item, data string) {
		if strings.ContainsAny(name, "\r\n\x00") {
			return // Append does not take it
		}
		log := newLog()
		log.Publish(Item{ID: item}, Event{Name: name, Data: data})
		log.Append(Event{Name: "last", Data: "event"})
		id := log.ID(1)
		events, _ := parse(join(wantEntries(t, log, 0)))
		if name == "" {
			name = "message"
		}
		wantData := strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
		want := dispatched{name, id, wantData}
		if len(events) != 2 || events[0] != want || events[1].name != "last" {
			t.Fatalf("got %q, want %q and another", events, want)
		}
		wantVisible(t, id)
	})
}
