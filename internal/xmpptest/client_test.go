package xmpptest

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 10 * time.Second

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Users == nil {
		cfg.Users = map[string]string{"alice": "secret", "bob": "hunter2"}
	}
	srv, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func clientTLS(srv *Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(srv.CertPEM())
	return &tls.Config{RootCAs: pool, ServerName: srv.Domain()}
}

// client is a client as raw as can be.
type client struct {
	t    *testing.T
	srv  *Server
	tcp  *net.TCPConn
	conn net.Conn
	dec  *xml.Decoder
}

func dial(t *testing.T, srv *Server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &client{t: t, srv: srv, tcp: conn.(*net.TCPConn), conn: conn}
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, raw); err != nil {
		c.t.Fatal(err)
	}
}

// open starts a stream and returns the features.
func (c *client) open() Element {
	c.t.Helper()
	c.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + c.srv.Domain() + "'>")
	c.dec = xml.NewDecoder(bufio.NewReader(c.conn))
	for {
		tok, err := c.dec.Token()
		if err != nil {
			c.t.Fatal(err)
		}
		if _, ok := tok.(xml.StartElement); ok {
			return c.next()
		}
	}
}

// read returns the next child of the stream, or io.EOF after </stream:stream>.
func (c *client) read() (Element, error) {
	for {
		tok, err := c.dec.Token()
		if err != nil {
			return Element{}, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			var el Element
			err := c.dec.DecodeElement(&el, &tok)
			return el, err
		case xml.EndElement:
			return Element{}, io.EOF
		}
	}
}

func (c *client) next() Element {
	c.t.Helper()
	el, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return el
}

// want reads the next element, which has to contain the parts.
func (c *client) want(parts ...string) Element {
	c.t.Helper()
	el := c.next()
	for _, part := range parts {
		if !strings.Contains(el.String(), part) {
			c.t.Fatalf("got %s, want %q", el, part)
		}
	}
	return el
}

// wantSilence checks that nothing comes, not even the end of the connection.
func (c *client) wantSilence() {
	c.t.Helper()
	c.tcp.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.conn.Read(make([]byte, 1)); !isTimeout(err) {
		c.t.Fatalf("got %d bytes and %v, want a timeout", n, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *client) startTLS() {
	c.t.Helper()
	c.open()
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	c.want("<proceed")
	c.conn = tls.Client(c.conn, clientTLS(c.srv))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func (c *client) auth(mechanism, message string) Element {
	c.t.Helper()
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + mechanism + "'>" + b64(message) + "</auth>")
	return c.next()
}

func (c *client) bind(resource string) *client {
	c.t.Helper()
	c.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource + "</resource></bind></iq>")
	c.want("type='result'", "@"+c.srv.Domain()+"/"+resource)
	return c
}

// login logs alice in by STARTTLS and PLAIN.
func login(t *testing.T, srv *Server, resource string) *client {
	t.Helper()
	return loginAs(t, srv, "alice", "secret", resource)
}

func loginAs(t *testing.T, srv *Server, user, password, resource string) *client {
	t.Helper()
	c := authenticate(t, srv, user, password)
	c.open()
	return c.bind(resource)
}

// authenticate is loginAs up to the stream on which a resource can be bound.
func authenticate(t *testing.T, srv *Server, user, password string) *client {
	t.Helper()
	c := dial(t, srv)
	c.startTLS()
	c.open()
	if el := c.auth("PLAIN", "\x00"+user+"\x00"+password); el.XMLName.Local != "success" {
		t.Fatalf("got %s, want success", el)
	}
	return c
}

// scram logs in with SCRAM-SHA-256 and this GS2 header. It returns the last
// element of the exchange.
func (c *client) scram(mechanism, header, binding, password string) Element {
	c.t.Helper()
	bare := "n=alice,r=abc"
	el := c.auth(mechanism, header+bare)
	if el.XMLName.Local != "challenge" {
		return el
	}
	serverFirst, _ := base64.StdEncoding.DecodeString(el.Text)
	part := strings.Split(string(serverFirst), ",")
	salt, _ := base64.StdEncoding.DecodeString(part[1][2:])
	iterations, _ := strconv.Atoi(part[2][2:])
	final := "c=" + b64(header+binding) + "," + part[0]

	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		c.t.Fatal(err)
	}
	key := sum(salted, "Client Key")
	stored := sha256.Sum256(key)
	proof := sum(stored[:], bare+","+string(serverFirst)+","+final)
	subtle.XORBytes(proof, proof, key)
	c.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64(final+",p="+b64(string(proof))) + "</response>")
	return c.next()
}

// subscribe subscribes alice with the resource r.
func (c *client) subscribe(node, resource string) {
	c.t.Helper()
	c.iq("set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='"+node+"' jid='alice@localhost/"+resource+"'/></pubsub>")
	c.want("subscription='subscribed'", "from='pubsub.localhost'")
}

// iq sends a request to the service.
func (c *client) iq(typ, payload string) {
	c.t.Helper()
	c.send("<iq type='" + typ + "' id='q' to='pubsub.localhost'>" + payload + "</iq>")
}

func waitSession(t *testing.T, srv *Server) *Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := srv.WaitSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
