package xmppclient_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A cutter is a way to a server that can be cut.
type cutter struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu   sync.Mutex // guards the following fields
	plan []cut      // the next cuts
	came int        // bytes from the server in this connection, or since the plan was made
	ways []*way     // all there ever were
}

// A cut breaks a connection after so many bytes from the server.
type cut struct {
	after int
	how   func(*way)
}

// A way is one connection through a cutter.
type way struct{ client, server *net.TCPConn }

// The ways to cut.
var (
	reset = func(w *way) {
		for _, c := range []*net.TCPConn{w.client, w.server} {
			_ = c.SetLinger(0) // if these fail it is closed
			_ = c.Close()
		}
	}
	finish = func(w *way) {
		_ = w.client.Close()
		_ = w.server.Close()
	}
	// hole leaves the server's side open, and what it writes unread.
	hole = func(w *way) { _ = w.client.Close() }
)

// cutting returns a cutter for the server at target, which works until the test
// ends.
func cutting(t *testing.T, target string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{target: target, listener: l}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		for _, w := range c.ways {
			finish(w)
		}
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) addr() string { return c.listener.Addr().String() }

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.target)
		if err != nil {
			_ = client.Close() // as the server would
			continue
		}
		w := &way{client.(*net.TCPConn), server.(*net.TCPConn)}
		c.mu.Lock()
		c.ways, c.came = append(c.ways, w), 0
		c.mu.Unlock()
		c.wg.Go(func() { _, _ = io.Copy(w.server, w.client) }) // until it is cut
		c.wg.Go(func() { c.forward(w) })
	}
}

// forward brings the client what the server says, until that is cut.
func (c *cutter) forward(w *way) {
	for b := make([]byte, 32<<10); ; {
		n, err := w.server.Read(b)
		if err != nil {
			finish(w)
			return
		}
		c.mu.Lock()
		var how func(*way)
		if len(c.plan) > 0 && c.came+n >= c.plan[0].after {
			n, how = max(c.plan[0].after-c.came, 0), c.plan[0].how
		}
		c.came += n
		c.mu.Unlock()
		_, err = w.client.Write(b[:n])
		if how != nil {
			how(w)
			c.mu.Lock()
			c.plan = c.plan[1:]
			c.mu.Unlock()
		}
		if how != nil || err != nil {
			return
		}
	}
}

// arm plans cuts: the first of the connection that there is, each other of the
// one after.
func (c *cutter) arm(plan ...cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.came = plan, 0
}

// bytes returns how many came from the server in this connection.
func (c *cutter) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came
}

// left returns how many cuts are still to come.
func (c *cutter) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.plan)
}
