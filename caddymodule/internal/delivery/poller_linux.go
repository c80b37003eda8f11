package delivery

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A poller watches the connections of a loop.
type poller struct {
	fd    int      // of an epoll instance
	file  *os.File // the same, which Go's own poller watches, so that to wait takes no thread
	ready syscall.RawConn
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	// Where there are no deadlines, Go does not watch the file.
	if err = p.file.SetDeadline(time.Time{}); err == nil {
		p.ready, err = p.file.SyscallConn()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// watch has the connection watched until it is closed: for its end, and for the
// events.
func (p *poller) watch(op, fd int, t token, events uint32) error {
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET | events, Fd: t.slot, Pad: t.turn}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &event))
}

// run calls each with what has happened, until the poller is closed.
func (p *poller) run(each func([]readiness)) {
	events := make([]unix.EpollEvent, 256)
	ready := make([]readiness, 0, len(events))
	for {
		var n int
		err := p.ready.Read(func(fd uintptr) bool {
			err := error(unix.EINTR)
			for err == unix.EINTR {
				n, err = unix.EpollWait(int(fd), events, 0)
			}
			return n > 0
		})
		if err != nil {
			return // it was closed
		}
		ready = ready[:0]
		for _, ev := range events[:n] {
			gone := ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
			ready = append(ready, readiness{token{ev.Fd, ev.Pad}, gone})
		}
		each(ready)
	}
}

// close ends run. Nothing is watched any more.
func (p *poller) close() { _ = p.file.Close() }
