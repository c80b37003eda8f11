package caddymodule_test

import (
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

func TestHTTP2(t *testing.T) {
	f := startFake(t, xmpptest.Config{})
	f.CreateNode("news", xmpptest.NodeConfig{})
	site := newSite(t)
	site.globals = "servers {\nprotocols h1 h2c\n}"
	site.run(f.directive("heartbeat 50ms"))
	stream := site.stream2("/eventsource/news")
	stream.wantSubscribed("news")
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
		stream.wantLine(":")
	}
	f.Publish("news", "1", entry)
	stream.wantItem("1", entry)
	f.DeleteNode("news")
	stream.want("delete", "<delete node='news'/>")
	stream.wantOver()
}
