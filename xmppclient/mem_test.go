package xmppclient

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A memConn is one end of a connection in memory. What is written waits in a
// buffer, as it does in a socket, and blocks when that is full. Goroutines that
// wait on it are durably blocked in the sense of testing/synctest.
type memConn struct{ in, out *memPipe }

// memConns returns the two ends of a connection with buffers of that size.
func memConns(size int) (a, b *memConn) {
	there, back := newMemPipe(size), newMemPipe(size)
	return &memConn{in: back, out: there}, &memConn{in: there, out: back}
}

func (c *memConn) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *memConn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(t) }
func (c *memConn) SetReadDeadline(time.Time) error    { return nil }
func (c *memConn) SetDeadline(t time.Time) error      { return c.out.setDeadline(t) }
func (c *memConn) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (c *memConn) RemoteAddr() net.Addr               { return &net.TCPAddr{} }

// Close lets the other end read what was written, and then the end.
func (c *memConn) Close() error {
	c.out.end(io.EOF)
	c.in.end(net.ErrClosed)
	return nil
}

// reset throws away what is under way, as an RST does.
func (c *memConn) reset() {
	for _, p := range []*memPipe{c.out, c.in} { // before the owner of this end sees it
		p.mu.Lock()
		p.buf = nil
		p.mu.Unlock()
		p.end(syscall.ECONNRESET)
	}
}

// A memPipe is one direction of a memConn.
type memPipe struct {
	size int

	mu       sync.Mutex // guards the following fields
	changed  *sync.Cond
	buf      []byte
	ended    error // why nothing more comes
	deadline time.Time
	timer    *time.Timer
	written  int
}

func newMemPipe(size int) *memPipe {
	p := &memPipe{size: size}
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *memPipe) read(dst []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 {
		if p.ended != nil {
			return 0, p.ended
		}
		p.changed.Wait()
	}
	n := copy(dst, p.buf)
	p.buf = p.buf[n:]
	p.changed.Broadcast()
	return n, nil
}

func (p *memPipe) write(src []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(src) > 0 {
		switch room := p.size - len(p.buf); {
		case p.ended != nil:
			return n, syscall.EPIPE
		case !p.deadline.IsZero() && !time.Now().Before(p.deadline):
			return n, os.ErrDeadlineExceeded
		case room <= 0:
			p.changed.Wait()
		default:
			m := min(room, len(src))
			p.buf = append(p.buf, src[:m]...)
			src, n = src[m:], n+m
			p.written += m
			p.changed.Broadcast()
		}
	}
	return n, nil
}

func (p *memPipe) setDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.deadline = t
	if !t.IsZero() {
		p.timer = time.AfterFunc(time.Until(t), p.changed.Broadcast)
	}
	return nil
}

func (p *memPipe) end(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.ended == nil {
		p.ended = cause
	}
	p.changed.Broadcast()
}

// open reports whether more may come.
func (p *memPipe) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended == nil
}

// waitEnd waits until nothing more can come.
func (p *memPipe) waitEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ended == nil {
		p.changed.Wait()
	}
}

var _ net.Conn = (*memConn)(nil)
