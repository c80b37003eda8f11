package servertest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// iqTimeout is how long an IQ may stay unanswered.
const iqTimeout = 60 * time.Second

// Client is a minimal XMPP client to drive a server with. It shares no code with
// what is tested. Its methods may be called concurrently.
type Client struct {
	conn *tls.Conn
	in   *bufio.Reader
	dec  *xml.Decoder  // owned by login, then by read
	done chan struct{} // closed when read has ended

	mu      sync.Mutex // guards the following fields, and is held while writing
	out     *bufio.Writer
	lastID  int
	pending map[string]chan stanza // nil when read has ended
}

// stanza is any child of the stream.
type stanza struct {
	XMLName xml.Name
	ID      string     `xml:"id,attr"`
	Type    string     `xml:"type,attr"`
	Error   *errorNode `xml:"error"`
	Inner   string     `xml:",innerxml"`
}

// Admin logs in as admin, who may do everything. Close is called when the test
// ends.
func (s *Server) Admin(t testing.TB) *Client {
	t.Helper()
	return s.Login(t, "admin")
}

// Login logs in as the user of that name. Close is called when the test ends.
func (s *Server) Login(t testing.TB, user string) *Client {
	t.Helper()
	c, err := login(t.Context(), s, user)
	if err != nil {
		t.Fatalf("logging in to %s as %s: %v", s.Name(), user, err)
	}
	t.Cleanup(c.Close)
	return c
}

func login(ctx context.Context, s *Server, user string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: s.caPool, ServerName: domain}}
	conn, err := dialer.DialContext(ctx, "tcp", s.AddrTLS())
	if err != nil {
		return nil, err
	}
	c := &Client{
		conn:    conn.(*tls.Conn),
		in:      bufio.NewReader(conn),
		out:     bufio.NewWriter(conn),
		done:    make(chan struct{}),
		pending: map[string]chan stanza{},
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if err := c.authenticate(user, s.opts.Users[user]); err != nil {
		conn.Close()
		return nil, err
	}
	go c.read() // joined by Close
	if _, err := c.IQ("", "set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// authenticate opens the stream, logs in, and opens the stream again.
func (c *Client) authenticate(user, password string) error {
	if err := c.open(); err != nil {
		return err
	}
	response := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	if err := c.write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + response + "</auth>"); err != nil {
		return err
	}
	reply, err := c.next()
	if err != nil {
		return err
	}
	if reply.XMLName.Local != "success" {
		return errors.New("authentication failed: " + reply.Inner)
	}
	return c.open()
}

// open sends the head of a stream and waits for the features.
func (c *Client) open() error {
	c.dec = xml.NewDecoder(c.in)
	if err := c.write("<?xml version='1.0'?><stream:stream to='" + domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"); err != nil {
		return err
	}
	reply, err := c.next()
	if err != nil {
		return err
	}
	if reply.XMLName.Local != "features" {
		return fmt.Errorf("no features but %s: %s", reply.XMLName.Local, reply.Inner)
	}
	return nil
}

// next reads the next child of the stream.
func (c *Client) next() (stanza, error) {
	for {
		token, err := c.dec.Token()
		if err != nil {
			return stanza{}, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return stanza{}, errors.New("the stream has ended")
		case xml.StartElement:
			if token.Name.Local == "stream" {
				continue
			}
			var st stanza
			err := c.dec.DecodeElement(&st, &token)
			return st, err
		}
	}
}

// read hands the answers to those that wait for them, until the stream ends.
// Everything else is thrown away.
func (c *Client) read() {
	defer close(c.done)
	for {
		st, err := c.next()
		c.mu.Lock()
		if err != nil {
			for _, answer := range c.pending {
				close(answer)
			}
			c.pending = nil
			c.mu.Unlock()
			return
		}
		if answer := c.pending[st.ID]; answer != nil && (st.Type == "result" || st.Type == "error") {
			delete(c.pending, st.ID)
			answer <- st // has room for it
		}
		c.mu.Unlock()
	}
}

// write sends raw XML.
func (c *Client) write(raw string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeLocked(raw)
}

// writeLocked sends raw XML. c.mu must be held.
func (c *Client) writeLocked(raw string) error {
	if _, err := c.out.WriteString(raw); err != nil {
		return err
	}
	return c.out.Flush()
}

// Presence sends presence of the given type, "" for available, to a JID or, if
// that is "", to the server.
func (c *Client) Presence(to, typ string) error {
	return c.write("<presence" + attr("to", to) + attr("type", typ) + "/>")
}

// Send sends stanzas as they are, whose answers nobody waits for.
func (c *Client) Send(stanzas string) error { return c.write(stanzas) }

// Close ends the stream. It may be called more than once.
func (c *Client) Close() {
	// The server may be gone, or stopped: it is told, but not waited for.
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.write("</stream:stream>")
	_ = c.conn.NetConn().Close()
	<-c.done
}
