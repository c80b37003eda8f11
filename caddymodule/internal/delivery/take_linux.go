package delivery

import (
	"errors"
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
	// unheardMost is for how long a client may acknowledge nothing, in
	// milliseconds (RFC 5482). Whoever is gone without a word is noticed so.
	unheardMost = 60_000
)

// canTake reports whether a connection is of a kind that can be taken over.
func canTake(c net.Conn) bool {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// takeOver has the poller watch a connection, and returns its output. If it
// fails, the output can still be closed.
func (p *poller) takeOver(c net.Conn, t token) (output, error) {
	o := &plain{conn: c}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return o, err
	}
	err = errors.Join(raw.Control(func(fd uintptr) { o.fd = int(fd) }))
	if err != nil {
		return o, err
	}
	if _, ok := c.(*net.TCPConn); ok {
		// Where the system does not know them, streams go on without.
		_ = unix.SetsockoptInt(o.fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
		_ = unix.SetsockoptInt(o.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, unheardMost)
	}
	return o, p.watch(unix.EPOLL_CTL_ADD, o.fd, t, 0)
}

// plain is the output to a connection as it is.
type plain struct {
	conn net.Conn // whose descriptor is fd; it is not used but to close it
	fd   int
}

func (o *plain) write(p []byte) (n int, err error) {
	for {
		n, err = unix.Write(o.fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
			continue
		}
		return 0, os.NewSyscallError("write", err)
	}
}

func (o *plain) await(p *poller, t token) error {
	return p.watch(unix.EPOLL_CTL_MOD, o.fd, t, unix.EPOLLOUT)
}

// close closes the connection. If it is closed already, that is as good.
func (o *plain) close() { _ = o.conn.Close() }
