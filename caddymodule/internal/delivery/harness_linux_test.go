package delivery

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-pubsub/caddy-pubsub/caddymodule/internal/eventstream"
)

// kinds are the kinds of connections that can be taken over. Each returns both
// ends of one.
var kinds = map[string]func(testing.TB) (server, client net.Conn){
	"TCP":  tcp,
	"unix": unixSocket,
	"TLS": func(tb testing.TB) (server, client net.Conn) {
		server, client = tcp(tb)
		return secured(tb, server, client)
	},
	"TLS over unix": func(tb testing.TB) (server, client net.Conn) {
		server, client = unixSocket(tb)
		return secured(tb, server, client)
	},
}

// eachKind runs a test with each kind of connection.
func eachKind(t *testing.T, test func(t *testing.T, kind func(testing.TB) (server, client net.Conn))) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) { test(t, kind) })
	}
}

func tcp(tb testing.TB) (server, client net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	return accepted(tb, l, err)
}

func unixSocket(tb testing.TB) (server, client net.Conn) {
	l, err := net.Listen("unix", filepath.Join(tb.TempDir(), "s"))
	return accepted(tb, l, err)
}

func accepted(tb testing.TB, l net.Listener, err error) (server, client net.Conn) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial(l.Addr().Network(), l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	return server, client
}

// certificate is the server's, which vouches for itself.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func secured(tb testing.TB, server, client net.Conn) (*tls.Conn, *tls.Conn) {
	tb.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(certificate().Leaf)
	s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	c := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "example.org"})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-done); err != nil {
		tb.Fatal(err)
	}
	return s, c
}

// narrow gives both ends of a connection small buffers, though not so small
// that TCP takes time to fill them.
func narrow(server, client net.Conn) {
	type buffered interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}
	_ = plain(server).(buffered).SetWriteBuffer(4 << 10)
	_ = plain(client).(buffered).SetReadBuffer(64 << 10)
}

// plain returns what is below TLS.
func plain(c net.Conn) net.Conn {
	if s, ok := c.(*tls.Conn); ok {
		return s.NetConn()
	}
	return c
}

// A client reads a body that comes as chunks, and is strict about them.
type client struct {
	net.Conn
	r      *bufio.Reader
	bytes  int64 // that came, of which some may yet be in r
	last   int   // the number of the newest event
	beats  int
	chunks int // with events
	said   []string
}

func newClient(tb testing.TB, c net.Conn) *client {
	cl := &client{Conn: c}
	cl.r = bufio.NewReader(cl)
	tb.Cleanup(func() { plain(c).Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return cl
}

func (c *client) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes += int64(n)
	return n, err
}

// chunk returns the body of the next chunk, which is empty if it is the last.
func (c *client) chunk() (string, error) {
	head, err := c.r.ReadString('\n')
	if err == io.EOF && head != "" {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(head, "\r\n"), 16, 32)
	if err != nil || head != fmt.Sprintf("%x\r\n", n) {
		return "", fmt.Errorf("the chunk begins with %q", head)
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return "", fmt.Errorf("in a chunk of %d bytes: %w", n, err)
	}
	if end := string(b[n:]); end != "\r\n" {
		return "", fmt.Errorf("the chunk ends with %q", end)
	}
	return string(b[:n]), nil
}

// next reads a chunk, whose events must be the next ones.
func (c *client) next() (last bool, err error) {
	body, err := c.chunk()
	switch {
	case err != nil:
		return false, err
	case body == "":
		return true, nil
	case body == eventstream.Heartbeat:
		c.beats++
		return false, nil
	case !strings.HasPrefix(body, "id: "):
		c.said = append(c.said, body)
		return false, nil
	}
	c.chunks++
	for _, event := range strings.SplitAfter(body, "\n\n") {
		if event == "" {
			break
		}
		_, data, _ := strings.Cut(event, "\ndata: ")
		var i, size int
		if _, err := fmt.Sscan(data, &i, &size); err != nil {
			return false, fmt.Errorf("%.80q: %w", event, err)
		}
		if want := fmt.Sprint(i, " ", size, " ", strings.Repeat("x", size), "\n\n"); data != want || i != c.last+1 {
			return false, fmt.Errorf("%.80q with %d bytes after the event %d", data, len(data), c.last)
		}
		c.last = i
	}
	return false, nil
}

// until reads the events up to a number.
func (c *client) until(last int) error {
	for c.last < last {
		end, err := c.next()
		if end {
			err = errors.New("the body is finished")
		}
		if err != nil {
			return fmt.Errorf("after the event %d, before %d: %w", c.last, last, err)
		}
	}
	if c.last > last {
		return fmt.Errorf("it has the event %d, want %d", c.last, last)
	}
	return nil
}

func wantUntil(t *testing.T, c *client, last int) {
	t.Helper()
	if err := c.until(last); err != nil {
		t.Fatal(err)
	}
}

// wantFinished wants the body to be finished, or to be broken off between two
// chunks.
func wantFinished(t *testing.T, c *client, finished bool) {
	t.Helper()
	for {
		last, err := c.next()
		switch {
		case last && finished:
			_, err = c.r.ReadByte()
		case last:
			t.Fatal("the body is finished, want it to be broken off")
		case err == nil:
			continue
		case finished:
			t.Fatalf("after the event %d: %v, want the body to be finished", c.last, err)
		}
		if err != io.EOF {
			t.Fatalf("after the event %d: %v, want the connection to be closed", c.last, err)
		}
		return
	}
}

// take has a new stream of the log taken over, from its beginning.
func take(tb testing.TB, r *rig, server net.Conn, l *eventstream.Log, audiences ...*Audience) *stream {
	return takeStream(tb, r, server, newStream(l), audiences...)
}

func takeStream(tb testing.TB, r *rig, server net.Conn, s *stream, audiences ...*Audience) *stream {
	tb.Helper()
	r.join(s, beat, audiences...)
	if !s.member.CanTake(server) {
		tb.Fatalf("%T cannot be taken over", server)
	}
	s.member.Take(server)
	return s
}

// parked has a stream of a still engine taken over whose client does not read.
// The connection is full in the middle of the first event.
func parked(t *testing.T, s still, kind func(testing.TB) (server, client net.Conn), l *eventstream.Log, audiences ...*Audience) (*stream, *client) {
	t.Helper()
	server, c := kind(t)
	narrow(server, c)
	put(l, 1, 1, 1<<20)
	st := take(t, s.rig, server, l, audiences...)
	if s.work(); st.member.conn.rest == nil {
		t.Fatal("a connection took all, want it to be full")
	}
	return st, newClient(t, c)
}

// takeMany has so many new streams of the log taken over, from its end. It
// returns the descriptors of their clients, which do not wait.
func takeMany(tb testing.TB, r *rig, n int, l *eventstream.Log, audiences ...*Audience) []int {
	tb.Helper()
	fds := make([]int, n)
	for i := range fds {
		server, c := tcp(tb)
		newClient(tb, c) // which is closed at the end
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			tb.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			tb.Fatal(err)
		}
		st := newStream(l)
		st.at = l.Replay(0).Next
		takeStream(tb, r, server, st, audiences...)
		tb.Cleanup(func() { server.Close() })
	}
	return fds
}

// drain reads what there is, and returns how many bytes that was.
func drain(tb testing.TB, fd int, buf []byte) (sum int) {
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case n > 0:
			sum += n
		case err == unix.EAGAIN:
			return sum
		case err != unix.EINTR:
			tb.Fatal("the connection is closed: ", err)
		}
	}
}
