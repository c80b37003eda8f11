package browsertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A relay is the network between a browser and a site, which can fail.
type relay struct {
	origin   string
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards the following fields
	down  bool
	conns map[net.Conn]bool
}

// startRelay makes the site reachable at one more port, until the test ends.
func startRelay(t *testing.T, s *site) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{origin: "http://localhost:" + port, target: s.addr(), listener: l, conns: map[net.Conn]bool{}}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		l.Close()
		r.cut()
		r.running.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return // it is closed
		}
		out, err := net.Dial("tcp", r.target)
		if err != nil {
			in.Close()
			continue
		}
		if !r.add(in, out) {
			in.Close()
			out.Close()
			continue
		}
		r.running.Go(func() { pass(in, out) })
		r.running.Go(func() { pass(out, in) })
	}
}

// pass copies what comes until one side is closed, and closes the other.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from) // the end of one is the end of both
	to.Close()
	from.Close()
}

// add reports whether the relay is up.
func (r *relay) add(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return false
	}
	for _, c := range conns {
		r.conns[c] = true
	}
	return true
}

// cut closes all connections, and all that come until mend.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	for c := range r.conns {
		c.Close()
	}
	clear(r.conns)
}

func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}
