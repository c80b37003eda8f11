package eventstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wide is more than any test needs that is not about bounds.
var wide = Bounds{Events: 1 << 12, Bytes: 1 << 24}

// newLog returns an empty log of the source that most tests have.
func newLog() *Log { return NewLog("source", wide, func() {}) }

// version returns a version of an item: "a" and "a=1" are two of the item "a",
// and "a=?" is one whose content is not known.
func version(s string) Item {
	id, content, _ := strings.Cut(s, "=")
	item := Item{ID: id, Fingerprint: itemHash("content" + content)}
	if content == "?" {
		item.Fingerprint = 0
	}
	return item
}

// versions returns versions, which are separated by blanks.
func versions(s string) (items []Item) {
	for _, v := range strings.Fields(s) {
		items = append(items, version(v))
	}
	return items
}

// hear has the log hear what happens in a script, and returns the log. "a" and
// "a=1" are published, "~a" was fetched, "-a" is retracted, "*" is the purge, and
// "!x" an event that changes no item. The data of an event is its word.
func hear(l *Log, script string) *Log {
	for _, word := range strings.Fields(script) {
		switch word[0] {
		case '-':
			l.Retract(word[1:], Event{Name: "retract", Data: word})
		case '*':
			l.Purge(Event{Name: "purge", Data: word})
		case '!':
			l.Append(Event{Name: "other", Data: word})
		case '~':
			l.Publish(version(word[1:]), Event{Data: word[1:]})
		default:
			l.Publish(version(word), Event{Data: word})
		}
	}
	return l
}

// fill returns a log that was filled with what the service retains.
func fill(retained string) *Log {
	l := newLog()
	for _, v := range strings.Fields(retained) {
		hear(l, "~"+v)
	}
	return l
}

// series returns the words prefix+from to prefix+to.
func series(prefix string, from, to int) string {
	var words []string
	for i := from; i <= to; i++ {
		words = append(words, fmt.Sprint(prefix, i))
	}
	return strings.Join(words, " ")
}

// end returns the place after all events.
func end(l *Log) Position { return l.Replay(0).Next }

// endID returns the ID of the place after all events.
func endID(l *Log) string { return l.ID(end(l)) }

// words returns the data of entries, as the script had them.
func words(entries []*Entry) string {
	var all []string
	events, _ := parse(join(entries))
	for _, ev := range events {
		all = append(all, ev.data)
	}
	return strings.Join(all, " ")
}

func wantWords(t *testing.T, what string, entries []*Entry, want string) {
	t.Helper()
	if got := words(entries); got != strings.Join(strings.Fields(want), " ") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// wantEntries returns the entries from a place on, which must still be there.
func wantEntries(t *testing.T, l *Log, at Position) []*Entry {
	t.Helper()
	entries, _, _, err := l.Read(nil, at, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// wantStart wants a start to have the entries and the gap, and to go on at the
// end of its log.
func wantStart(t *testing.T, what string, l *Log, got Start, want, gap string) {
	t.Helper()
	wantWords(t, what, got.Entries, want)
	if got.Gap != gap {
		t.Errorf("%s: the gap is %q, want %q", what, got.Gap, gap)
	}
	if got.Next != end(l) {
		t.Errorf("%s: it goes on at %d, want %d", what, got.Next, end(l))
	}
}

// wantVisible wants an ID to be ASCII without blanks.
func wantVisible(t *testing.T, id string) {
	t.Helper()
	if i := slices.IndexFunc([]byte(id), func(c byte) bool { return c <= ' ' || c > '~' }); i >= 0 {
		t.Errorf("the id %.80q has the byte %q, want visible ASCII", id, id[i])
	}
}
