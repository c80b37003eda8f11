package faulttest

import (
	"errors"
	"net"
	"sync"
	"testing"
)

// A link is the network between a gateway and its XMPP server, which can fail.
type link struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards the following fields
	down  bool       // new connections are refused
	pairs []*pair    // all that ever were
}

// startLink makes the address reachable at another one, until the test ends.
func startLink(t *testing.T, target string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{target: target, listener: listener}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.refuse()
		l.running.Wait()
	})
	return l
}

// addr returns where to connect to.
func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return // it is closed
		}
		out, err := l.dial()
		if err != nil {
			newPair(in, in).reset()
			continue
		}
		p := newPair(in, out)
		if !l.add(p) {
			p.reset()
			continue
		}
		l.running.Go(func() { p.pass(in, out) })
		l.running.Go(func() { p.pass(out, in) })
	}
}

var errRefused = errors.New("the link refuses connections")

func (l *link) dial() (net.Conn, error) {
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return nil, errRefused
	}
	return net.Dial("tcp", l.target)
}

// add reports whether the link is up.
func (l *link) add(p *pair) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		l.pairs = append(l.pairs, p)
	}
	return !l.down
}

// reset ends all connections with RST. New ones can be made at once.
func (l *link) reset() { l.each((*pair).reset) }

// finish ends all connections with FIN. New ones can be made at once.
func (l *link) finish() { l.each((*pair).finish) }

// silence keeps all connections open, but nothing comes through any more. New
// ones can be made at once, and work.
func (l *link) silence() { l.each((*pair).silence) }

// refuse ends all connections, and all that come until mend.
func (l *link) refuse() {
	l.setDown(true)
	l.reset()
}

// mend ends refuse.
func (l *link) mend() { l.setDown(false) }

func (l *link) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *link) each(f func(*pair)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pairs {
		f(p)
	}
}

// dials returns how many connections were made.
func (l *link) dials() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}
