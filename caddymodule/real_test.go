package caddymodule_test

import (
	"fmt"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// directive returns one for the server, with more options.
func directive(s *servertest.Server, options string) string {
	return fmt.Sprintf(`pubsub_eventsource {
	jid gateway@%s
	password %s
	server %s
	tls {
		ca %s
	}
	%s
}`, s.Domain(), s.Password("gateway"), s.Addr(), s.CAFile(), options)
}

func TestRealStream(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		admin := s.Admin(t)
		if err := admin.CreateNode("news", nil); err != nil {
			t.Fatal(err)
		}
		site := startCaddy(t, directive(s, ""))
		stream := site.stream("/eventsource/news")
		stream.want("subscription", "<subscription node='news' subscription='subscribed'/>")
		if err := admin.Publish("news", "1", "<entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title></entry>"); err != nil {
			t.Fatal(err)
		}
		stream.want("", "<item xmlns='http://jabber.org/protocol/pubsub' id='1'><entry xmlns='http://www.w3.org/2005/Atom'><title>Hello</title></entry></item>")
	})
}
