package servertest

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNodeOperations(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin, other := s.Admin(t), s.Login(t, "other")
		wantNoError(t, admin.CreateNode("a<b", map[string]string{"pubsub#access_model": "whitelist"}))
		if _, err := other.Items("a<b"); err == nil {
			t.Error("other can read a node whose whitelist it is not on")
		}
		wantNoError(t, admin.SetAffiliation("a<b", "other@localhost", "member"))
		if _, err := other.Items("a<b"); err != nil {
			t.Errorf("other cannot read as a member: %v", err)
		}
		wantNoError(t, admin.ConfigureNode("a<b", map[string]string{"pubsub#access_model": "open", "pubsub#title": "T"}))
		wantNoError(t, admin.SetSubscription("a<b", "other@localhost", "subscribed"))
		wantNoError(t, admin.SetSubscription("a<b", "other@localhost", "none"))

		wantNoError(t, admin.PublishAll("a<b", items(3)))
		wantNoError(t, admin.Retract("a<b", "id2", true))
		wantItems(t, admin, "a<b", 2)
		wantNoError(t, admin.PurgeNode("a<b"))
		wantItems(t, admin, "a<b", 0)
		wantNoError(t, admin.Publish("a<b", "", "<n xmlns='urn:n'>0</n>"))
		wantItems(t, admin, "a<b", 1)
		wantNoError(t, admin.DeleteNode("a<b"))

		_, err := admin.Items("a<b")
		if e := (*Error)(nil); !errors.As(err, &e) || e.Type != "cancel" || !slices.Contains(e.Conditions, "item-not-found") {
			t.Errorf("reading a deleted node: %v", err)
		}
		wantNoError(t, other.Presence("", ""))
		wantNoError(t, other.Presence("admin@localhost", "subscribe"))
	})
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	Each(t, Options{Users: map[string]string{"admin": `p"\é<`}}, func(t *testing.T, s *Server) {
		s.opts.Users["admin"] = "wrong"
		_, err := login(t.Context(), s, "admin")
		if err == nil || !strings.Contains(err.Error(), "not-authorized") {
			t.Errorf("logging in with a wrong password: %v", err)
		}
	})
}
