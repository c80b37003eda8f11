package faulttest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// through returns the two ends of a connection through the link, after
// something was passed on.
func through(t *testing.T, l *link, far net.Listener) (near, end net.Conn) {
	t.Helper()
	near, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	end, err = far.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close() })
	if _, err := end.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return near, end
}

func TestLink(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	l := startLink(t, far.Addr().String())
	for _, tt := range []struct {
		name string
		fail func()
		want error
	}{
		{"reset", l.reset, syscall.ECONNRESET},
		{"finish", l.finish, io.EOF},
		{"silence", l.silence, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, end := through(t, l, far)
			tt.fail()
			for _, c := range []net.Conn{near, end} {
				if tt.name == "silence" {
					// Something is on its way, and must not arrive.
					if _, err := end.Write([]byte("y")); err != nil {
						t.Error(err)
					}
					_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				}
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, tt.want) {
					t.Errorf("reading: %v, want %v", err, tt.want)
				}
			}
			through(t, l, far)
		})
	}
	l.refuse()
	near, err := net.Dial("tcp", l.addr())
	if err == nil {
		_, err = near.Read(make([]byte, 1))
		near.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a link that refuses: %v", err)
	}
	l.mend()
	through(t, l, far)
}
