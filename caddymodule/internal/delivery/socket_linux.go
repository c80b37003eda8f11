package delivery

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// unsentMost is how many bytes the system may keep of a stream that have not
	// been sent, so that those who do not read do not fill its memory: what
	// they missed is in the log.
	unsentMost = 128 << 10
	// unheardMost is for how long a client may acknowledge nothing, or have no
	// room for what was sent, in milliseconds (RFC 5482). Whoever is gone
	// without a word is noticed so.
	unheardMost = 60_000
)

// canTake reports whether a connection is of a kind that can be taken over.
func canTake(c net.Conn) bool {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// A socket writes to a connection without waiting.
type socket struct {
	conn net.Conn // whose descriptor is fd
	fd   int
	tls  *secure // over it; nil if there is no TLS
}

// open takes a connection over, and has the poller watch it. If it fails, the
// connection can still be closed.
func (s *socket) open(c net.Conn, p *poller, t token) error {
	s.conn = c
	secured, isTLS := c.(*tls.Conn)
	if isTLS {
		s.conn = secured.NetConn()
	}
	sys, ok := s.conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a connection of type %T has no descriptor", s.conn)
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return err
	}
	if err := raw.Control(func(fd uintptr) { s.fd = int(fd) }); err != nil {
		return err
	}
	if _, ok := s.conn.(*net.TCPConn); ok {
		// Where the system does not know them, streams go on without.
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, unheardMost)
	}
	if isTLS {
		if s.tls, err = newSecure(secured, s.fd); err != nil {
			return err
		}
	}
	return p.watch(unix.EPOLL_CTL_ADD, s.fd, t, 0)
}

// write writes what there is room for. It is no error that this is less than
// all.
func (s *socket) write(p []byte) (n int, err error) {
	if s.tls != nil {
		return s.tls.write(p)
	}
	for {
		n, err = unix.Write(s.fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
			continue
		case unix.EPIPE, unix.ECONNRESET:
			return 0, ErrGone
		}
		return 0, os.NewSyscallError("write", err)
	}
}

// await has the loop told when there is room again.
func (s *socket) await(p *poller, t token) error {
	return p.watch(unix.EPOLL_CTL_MOD, s.fd, t, unix.EPOLLOUT)
}

// close closes the connection. If it is closed already, that is as good. TLS is
// not told: to break off a body is what most streams end with, and a finished
// one says so itself.
func (s *socket) close() {
	s.drain()
	_ = s.conn.Close()
}

// drain discards what the client sent after its request. If that were still
// there when the connection is closed, the system would break the connection
// off, and with it what has not left yet.
func (s *socket) drain() {
	if s.fd <= 0 {
		return // it was not opened
	}
	var b [4 << 10]byte
	for range 16 {
		if n, err := unix.Read(s.fd, b[:]); n <= 0 && err != unix.EINTR {
			return
		}
	}
}
