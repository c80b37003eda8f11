package delivery

import (
	"crypto/tls"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// secure writes to a TLS connection without waiting. [tls.Conn] cannot be told
// not to wait: a record that was written in part breaks the connection. So it
// is given no more than the socket has room for.
type secure struct {
	conn *tls.Conn
	raw  net.Conn
	fd   int
	most int // bytes that there is room for if there is any

	deadline time.Duration // of raw, by the clock
}

const (
	// sendBuffer is the size of the socket's buffer, in bytes, of which the
	// system takes twice as much for what it has to note about them.
	sendBuffer = 128 << 10
	// stuckFor bounds a write that has to wait though there was room, as when
	// the system has no memory left for sockets. Others wait meanwhile, and the
	// connection is cut then.
	stuckFor = time.Second
)

func newSecure(c *tls.Conn, fd int) (*secure, error) {
	// The system may allow less, or grow it by itself if it is not set.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	// A socket is writable when a third of its buffer is free, what the system
	// notes included.
	return &secure{conn: c, raw: c.NetConn(), fd: fd, most: size / 16}, nil
}

// write writes what there is room for, as records.
func (s *secure) write(p []byte) (n int, err error) {
	for n < len(p) {
		if !s.hasRoom() {
			return n, nil
		}
		s.setDeadline()
		k := min(len(p)-n, s.most)
		if _, err := s.conn.Write(p[n : n+k]); err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// setDeadline makes sure that the next write does not last for ever. It is not
// done for each, which would cost as much as a tenth of it.
func (s *secure) setDeadline() {
	now := clock()
	if s.deadline-now < stuckFor {
		s.deadline = now + 2*stuckFor
		_ = s.raw.SetWriteDeadline(epoch.Add(s.deadline)) // it fails if the write does
	}
}

// hasRoom reports whether something can be written without waiting, be it that
// it fails.
func (s *secure) hasRoom() bool {
	poll := [1]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
	n, _ := unix.Poll(poll[:], 0) // interrupted at worst, which await makes good
	return n > 0
}
