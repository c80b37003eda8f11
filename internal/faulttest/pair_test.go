package faulttest

import (
	"net"
	"sync"
	"time"
)

// A pair is the two connections that make one through a link.
type pair struct {
	ends [2]net.Conn

	once   sync.Once
	failed chan struct{} // closed: nothing is passed on any more
	silent bool          // set before failed is closed: nor are ends
	end    sync.Once
	ended  chan struct{} // closed with the connections
}

func newPair(in, out net.Conn) *pair {
	return &pair{ends: [2]net.Conn{in, out}, failed: make(chan struct{}), ended: make(chan struct{})}
}

// pass copies what comes until one side ends, or the pair fails.
func (p *pair) pass(to, from net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-p.failed:
			if p.silent {
				<-p.ended
				return
			}
			n = 0
		default:
		}
		if n > 0 {
			_, werr := to.Write(buf[:n])
			if err == nil {
				err = werr
			}
		}
		if err != nil {
			p.close(false)
			return
		}
	}
}

// reset ends the pair with RST.
func (p *pair) reset() {
	p.fail(false)
	p.close(true)
}

// finish ends the pair with FIN. The ends are read until they end, too, since
// closing one with something unread would make it RST.
func (p *pair) finish() {
	p.fail(false)
	for _, c := range p.ends {
		_ = c.(*net.TCPConn).CloseWrite() // it may have ended by itself
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	}
}

// silence keeps both ends open, and does nothing with them.
func (p *pair) silence() { p.fail(true) }

func (p *pair) fail(silent bool) {
	p.once.Do(func() {
		p.silent = silent
		close(p.failed)
	})
}

func (p *pair) close(reset bool) {
	p.end.Do(func() {
		for _, c := range p.ends {
			if reset {
				_ = c.(*net.TCPConn).SetLinger(0) // it may have ended by itself
			}
			c.Close()
		}
		close(p.ended)
	})
}
