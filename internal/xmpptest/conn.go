package xmpptest

import (
	"net"
	"sync"
	"time"
)

// conn is a TCP connection whose faults can be switched on. It lies below
// TLS, which does not notice them.
type conn struct {
	*net.TCPConn // static
	closed       chan struct{}
	closeOnce    sync.Once

	mu   sync.Mutex // guards the following fields
	hung bool       // writes are swallowed, reads are dropped and never end
	deaf bool       // nothing is read
}

func newConn(tcp *net.TCPConn) *conn {
	return &conn{TCPConn: tcp, closed: make(chan struct{})}
}

// Read reads as the peer expects, until a fault is switched on: then it
// returns only when the connection is closed on this side.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if _, deaf := c.faults(); deaf {
			break
		}
		n, err := c.TCPConn.Read(p)
		hung, deaf := c.faults()
		if !hung && !deaf {
			return n, err
		}
		if err != nil {
			break
		}
	}
	<-c.closed
	return 0, net.ErrClosed
}

// Write writes p, or pretends to if the connection hangs.
func (c *conn) Write(p []byte) (int, error) {
	if hung, _ := c.faults(); hung {
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// Close closes the connection and ends every Read and Write.
func (c *conn) Close() error {
	err := c.TCPConn.Close()
	c.closeOnce.Do(func() { close(c.closed) })
	return err
}

// reset closes the connection with a TCP RST.
func (c *conn) reset() {
	// Only fails on a closed connection, where there is nothing to reset.
	_ = c.SetLinger(0)
	c.Close()
}

// hang makes this end look like a machine that was switched off.
func (c *conn) hang() {
	c.mu.Lock()
	c.hung = true
	c.mu.Unlock()
}

// stopReading lets the peer's data pile up in the kernel, of which there can
// be little before the peer's writes block.
func (c *conn) stopReading() {
	c.mu.Lock()
	c.deaf = true
	c.mu.Unlock()
	// Both only fail on a closed connection. The deadline ends a Read under way.
	_ = c.SetReadBuffer(1)
	_ = c.SetReadDeadline(time.Now())
}

func (c *conn) faults() (hung, deaf bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hung, c.deaf
}
