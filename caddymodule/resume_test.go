package caddymodule_test

import (
	"strings"
	"testing"
)

// TestResume resumes in the same process, by whatever a client can send.
func TestResume(t *testing.T) {
	f, site := start(t, "", "news")
	stream := site.stream("/eventsource/news")
	first := stream.wantSubscribed("news").id
	var ids []string
	for _, id := range []string{"1", "two words", "日本"} {
		f.Publish("news", id, entry)
		ids = append(ids, stream.wantItem(id, entry).id)
	}
	f.Retract("news", "1")
	stream.want("retract", "<retract id='1'/>")
	for _, tt := range []struct{ query, header, next string }{
		{"", first, "1"},
		{"", ids[0], "two words"},
		{"?lastEventId=" + ids[0], "", "two words"},
		{"?last_event_id=" + strings.ReplaceAll(ids[1], "%", "%25"), "", "日本"},
		{"?evs_last_event_id=" + ids[0], "", "two words"},
		{"?lastEventId=" + first, ids[0], "two words"},
	} {
		var header []string
		if tt.header != "" {
			header = []string{"Last-Event-ID", tt.header}
		}
		again := site.stream("/eventsource/news"+tt.query, header...)
		again.wantSubscribed("news")
		again.wantItem(tt.next, entry)
	}
	last := site.stream("/eventsource/news", "Last-Event-ID", ids[2])
	last.wantSubscribed("news")
	last.want("retract", "<retract id='1'/>")
	for _, id := range []string{"two words", "two%20words"} { // as a page knows it
		bare := site.stream("/eventsource/news", "Last-Event-ID", id)
		bare.wantSubscribed("news")
		bare.wantItem("日本", entry)
	}
	for _, id := range []string{"1", "garbage", first + "x.", ",AAAAAAAAAA.1", "é", strings.Repeat("x", 10_000)} {
		unknown := site.stream("/eventsource/news", "Last-Event-ID", id)
		unknown.wantSubscribed("news")
		unknown.wantGap("news", "unknown-id")
		unknown.wantItem("two words", entry)
		unknown.wantItem("日本", entry)
	}
	fresh := site.stream("/eventsource/news")
	fresh.wantSubscribed("news")
	f.Publish("news", "4", entry)
	fresh.wantItem("4", entry)
}

// TestSubscriptionIDResumes has streams that saw nothing but that they began.
func TestSubscriptionIDResumes(t *testing.T) {
	f, site := start(t, "", "news")
	f.Publish("news", "before", entry)
	stream := site.stream("/eventsource/news")
	at := stream.wantSubscribed("news").id
	stream.close()
	for i := range 3 {
		f.Publish("news", strings.Repeat("x", i+1), entry)
	}
	again := site.stream("/eventsource/news", "Last-Event-ID", at)
	again.wantSubscribed("news")
	for i := range 3 {
		again.wantItem(strings.Repeat("x", i+1), entry)
	}
}
