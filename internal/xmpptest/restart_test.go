package xmpptest

import (
	"errors"
	"net"
	"slices"
	"testing"
)

func TestRestart(t *testing.T) {
	srv, c, _, _ := subscribed(t, Config{StreamManagement: managed})
	srv.Publish("n", "1", "")
	c.wantMessages("<item id='1'/>")
	c.want("<r ")
	hung := login(t, srv, "hung")
	waitSession(t, srv).Hang()
	negotiating := reconnect(t, srv)
	addr := srv.Addr()

	srv.Restart()
	for _, c := range []*client{c, hung, negotiating} {
		c.wantEnd(0)
	}
	if len(srv.Sessions()) != 0 || len(srv.Hibernating()) != 0 {
		t.Errorf("sessions %v, hibernating %v", srv.Sessions(), srv.Hibernating())
	}
	if items := srv.Items("n"); len(items) != 1 || items[0].ID != "1" || srv.Addr() != addr {
		t.Errorf("items %v at %s", items, srv.Addr())
	}
	if got := srv.Subscribers("n"); !slices.Equal(got, []string{"alice@localhost/r"}) {
		t.Errorf("subscribers %q", got)
	}
	c = login(t, srv, "r")
	srv.Publish("n", "2", "")
	c.want("<item id='2'/>")
}

// TestRestartLocksOut checks that what was negotiating when the server was
// restarted does not become a session afterwards.
func TestRestartLocksOut(t *testing.T) {
	srv, _, s, id := subscribed(t, Config{StreamManagement: managed})
	srv.loseAll() // and the connections are not closed yet
	if err := srv.bind(s, ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("bound: %v", err)
	}
	if err := srv.resume(s, "alice@localhost", id, 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("resumed: %v", err)
	}
	s.conn.Close()
}
