package caddymodule_test

import "testing"

// TestReplay has streams that come without an ID, to a node where an item was
// retracted and another overwritten.
func TestReplay(t *testing.T) {
	for replay, want := range map[string][]string{
		"none": nil, "last": {"4"}, "2": {"2", "4"}, "all": {"3", "2", "4"}, "9": {"3", "2", "4"},
	} {
		t.Run(replay, func(t *testing.T) {
			f, site := start(t, "replay "+replay, "news")
			f.Publish("news", "2", payload("old"))
			f.publishAll("news", "1", "3")
			watch := site.stream("/eventsource/news", "Last-Event-ID", "3")
			watch.wantSubscribed("news")
			f.Retract("news", "1")
			watch.wantRetract("1")
			f.publishAll("news", "2", "4")
			watch.wantItems("2", "4")

			stream := site.stream("/eventsource/news")
			at := stream.wantSubscribed("news").id
			stream.wantItems(want...)
			// Who has only the first ID misses nothing of it.
			again := site.stream("/eventsource/news", "Last-Event-ID", at)
			again.wantSubscribed("news")
			f.publishAll("news", "end")
			stream.wantItems("end")
			for _, id := range append(want, "end") {
				for ev := (event{}); ; {
					if ev = again.mustNext(); ev.data == itemData(id, payload(id)) {
						break
					}
				}
			}
		})
	}
}

// TestReplayOfNothingRetained has a node whose events are over when they were
// sent.
func TestReplayOfNothingRetained(t *testing.T) {
	f, site := start(t, "replay all")
	f.createTransient("news")
	watch := site.stream("/eventsource/news")
	watch.wantSubscribed("news")
	f.publishAll("news", "1")
	at := watch.wantItems("1").id
	f.publishAll("news", "2")
	watch.wantItems("2")
	stream := site.stream("/eventsource/news")
	stream.wantSubscribed("news")
	resumed := site.stream("/eventsource/news", "Last-Event-ID", at)
	resumed.wantSubscribed("news")
	resumed.wantItems("2")
	unknown := site.stream("/eventsource/news", "Last-Event-ID", "garbage")
	unknown.wantSubscribed("news")
	unknown.wantGap("news", "unknown-id")
	f.publishAll("news", "3")
	stream.wantItems("3")
	resumed.wantItems("3")
	unknown.wantItems("3")
}
