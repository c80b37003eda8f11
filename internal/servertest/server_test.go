package servertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin := s.Admin(t)
		wantNoError(t, admin.CreateNode("news", map[string]string{"pubsub#max_items": "100"}))
		wantNoError(t, admin.PublishAll("news", items(50)))
		wantItems(t, admin, "news", 50)
	})
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin := s.Admin(t)
		wantNoError(t, admin.CreateNode("news", map[string]string{"pubsub#max_items": "100"}))
		wantNoError(t, admin.PublishAll("news", items(50)))
		addr := s.Addr()

		s.Stop()
		if err := admin.DeleteNode("news"); err == nil {
			t.Fatal("an answer from a server that is stopped")
		}
		s.Start()
		if s.Addr() != addr {
			t.Fatalf("at %s after Start, was at %s", s.Addr(), addr)
		}
		wantItems(t, s.Admin(t), "news", 50)
	})
}

func TestKillAndStart(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin := s.Admin(t)
		wantNoError(t, admin.CreateNode("old", map[string]string{"pubsub#max_items": "100"}))
		wantNoError(t, admin.PublishAll("old", items(50)))

		s.Kill()
		s.Start()
		admin = s.Admin(t)
		if s.Name() == "prosody" { // ejabberd may have forgotten them
			wantItems(t, admin, "old", 50)
		}
		wantNoError(t, admin.CreateNode("new", nil))
		// Not of urn:n: ejabberd may give the new node the items of the old one.
		wantNoError(t, admin.Publish("new", "1", "<later xmlns='urn:later'/>"))
		reply, err := admin.Items("new")
		wantNoError(t, err)
		if !strings.Contains(reply, "urn:later") {
			t.Errorf("the item is not in %s", reply)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin := s.Admin(t)
		s.Pause()
		answered := make(chan error, 1)
		go func() { answered <- admin.CreateNode("news", nil) }()
		select {
		case err := <-answered:
			t.Fatalf("an answer from a paused server: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		s.Resume()
		wantNoError(t, <-answered)
	})
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, outer *Server) {
		var group int
		var mark string
		t.Run("inner", func(t *testing.T) {
			s := start(t, outer.kind, Options{}, freePorts)
			group, mark = s.process.cmd.Process.Pid, s.process.mark
			if !slices.Contains(marked(mark), group) {
				t.Fatal("the processes of a running server are not found")
			}
			s.Pause() // has to be no obstacle
		})
		if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process group %d: %v", group, err)
		}
		if left := marked(mark); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
	})
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, outer *Server) {
		// In turn, each of the ports is one that is taken.
		for i := range 3 {
			attempts := 0
			s := start(t, outer.kind, Options{}, func() ports {
				attempts++
				p := freePorts()
				if attempts == 1 {
					*[]*int{&p.C2S, &p.TLS, &p.HTTP}[i] = *[]*int{&outer.ports.C2S, &outer.ports.TLS, &outer.ports.HTTP}[i]
				}
				return p
			})
			if attempts != 2 {
				t.Errorf("port %d: %d attempts, want 2", i, attempts)
			}
			wantNoError(t, s.Admin(t).CreateNode("news", nil))
			s.Kill()
		}
	})
}

func TestLargeItem(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		admin := s.Admin(t)
		wantNoError(t, admin.CreateNode("news", nil))
		text := strings.Repeat("x", 1<<20-100)
		wantNoError(t, admin.Publish("news", "large", "<n xmlns='urn:n'>"+text+"</n>"))
		reply, err := admin.Items("news")
		wantNoError(t, err)
		if !strings.Contains(reply, text) {
			t.Fatalf("the item did not come back, but %d bytes", len(reply))
		}
	})
}

// TestRateLimit asks only for a minimum, since any machine may be slow.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	Each(t, Options{RateLimit: true}, func(t *testing.T, s *Server) {
		gateway := s.Login(t, "gateway")
		began := time.Now()
		for range 5 {
			_, err := gateway.IQ(domain, "get", "<ping xmlns='urn:xmpp:ping'>"+strings.Repeat("x", 9000)+"</ping>")
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < time.Second {
			t.Fatalf("45 kB took only %v", took)
		}
	})
}

func TestMissingServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, k := range []kind{prosody, ejabberd} {
		_, err := k.command(&Server{kind: k})
		want := k.name + " is not installed; `make test` installs it"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func items(n int) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i] = Item{ID: fmt.Sprint("id", i), Payload: fmt.Sprintf("<n xmlns='urn:n'>%d</n>", i)}
	}
	return items
}
