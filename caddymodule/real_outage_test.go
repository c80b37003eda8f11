package caddymodule_test

import (
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestRealOutage has a server that is not there when Caddy starts, and one that
// is killed under a stream.
func TestRealOutage(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		must(t, s.Admin(t).CreateNode("news", nil))
		s.Stop()
		site := startCaddy(t, directive(s, ""))
		stream := site.stream("/eventsource/news")
		stream.wantHeld()
		s.Start()
		stream.wantSubscribed("news")
		must(t, s.Admin(t).Publish("news", "1", entry))
		stream.wantItem("1", entry)
		if s.Name() == "ejabberd" {
			return // which forgets what it was told shortly before it is killed
		}
		s.Kill()
		stream.wantLine(": the link to the XMPP server is lost")
		s.Start()
		must(t, s.Admin(t).Publish("news", "2", entry))
		stream.wantItem("2", entry)
	})
}
