package servertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// TestDurable kills a server as soon as it can be relied on to know.
func TestDurable(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		admin := s.Admin(t)
		if err := admin.CreateNode("news", nil); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"first", "last"} {
			if err := admin.Publish("news", id, "<x xmlns='urn:x' mark='mark-of-"+id+"'/>"); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(30 * time.Second); !s.Durable("mark-of-last"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the item is never written")
			}
		}
		if s.Durable("mark-of-none") {
			t.Error("what was never published is written")
		}
		s.Kill()
		s.Start()
		items, err := s.Admin(t).Items("news")
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"first", "last"} {
			if !strings.Contains(items, "mark-of-"+id) {
				t.Errorf("the item %q is gone; there is %s", id, items)
			}
		}
	})
}
