package servertest

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMechanisms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		o    Options
		want []string
	}{
		{"default", Options{}, []string{"PLAIN", "SCRAM-SHA-1"}},
		{"SHA-256", Options{SCRAM256: true}, []string{"PLAIN", "SCRAM-SHA-256"}},
		{"TLS 1.2", Options{MaxTLS12: true}, []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			Each(t, tc.o, func(t *testing.T, s *Server) {
				version, got := startTLS(t, s)
				if version == tls.VersionTLS13 { // there ejabberd offers what cannot work
					got = slices.DeleteFunc(got, func(name string) bool {
						return s.Name() == "ejabberd" && strings.HasSuffix(name, "-PLUS")
					})
				}
				if got = slices.Sorted(slices.Values(got)); !slices.Equal(got, tc.want) {
					t.Errorf("mechanisms %v, want %v", got, tc.want)
				}
				if is12 := version == tls.VersionTLS12; is12 != tc.o.MaxTLS12 {
					t.Errorf("%s with %+v", tls.VersionName(version), tc.o)
				}
			})
		})
	}
}

// startTLS connects as clients do. It wants TLS to be required, and returns its
// version and the SASL mechanisms that are offered then.
func startTLS(t *testing.T, s *Server) (version uint16, mechanisms []string) {
	conn, err := net.Dial("tcp", s.Addr())
	wantNoError(t, err)
	defer conn.Close()
	wantNoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	const head = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

	io.WriteString(conn, head)
	in := bufio.NewReader(conn)
	if f := features(t, in); f.StartTLS == nil || len(f.Mechanisms) > 0 {
		t.Fatalf("TLS is not required: %+v", f)
	}
	io.WriteString(conn, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	if proceed, err := in.ReadString('>'); err != nil || !strings.Contains(proceed, "proceed") {
		t.Fatal(proceed, err)
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: s.CAPool(), ServerName: s.Domain()})
	io.WriteString(secure, head)
	f := features(t, secure)
	return secure.ConnectionState().Version, f.Mechanisms
}

type streamFeatures struct {
	StartTLS   *struct{} `xml:"starttls"`
	Mechanisms []string  `xml:"mechanisms>mechanism"`
}

func features(t *testing.T, r io.Reader) (f streamFeatures) {
	for dec := xml.NewDecoder(r); ; {
		token, err := dec.Token()
		wantNoError(t, err)
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "features" {
			wantNoError(t, dec.DecodeElement(&f, &start))
			return f
		}
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	Each(t, Options{}, func(t *testing.T, s *Server) {
		bosh, websocket := "/http-bind", "/xmpp-websocket"
		if s.Name() == "ejabberd" {
			bosh, websocket = "/bosh", "/ws"
		}
		body := "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' to='localhost' rid='1' wait='1' hold='1' ver='1.6' xmpp:version='1.0'/>"
		resp, err := http.Post("http://"+s.HTTPAddr()+bosh, "text/xml", strings.NewReader(body))
		wantNoError(t, err)
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "SCRAM-SHA-1") {
			t.Errorf("BOSH: %s: %s, %v", resp.Status, text, err)
		}

		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.HTTPAddr()+websocket, nil)
		wantNoError(t, err)
		req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"xmpp"}, "Origin": {"http://localhost"}}
		resp, err = http.DefaultClient.Do(req)
		wantNoError(t, err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("WebSocket: %s", resp.Status)
		}
	})
}

func TestComponent(t *testing.T) {
	t.Parallel()
	Each(t, Options{Component: "echo.localhost"}, func(t *testing.T, s *Server) {
		conn, err := net.Dial("tcp", s.ComponentAddr())
		wantNoError(t, err)
		defer conn.Close()
		wantNoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		io.WriteString(conn, "<stream:stream to='echo.localhost' xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>")
		for dec := xml.NewDecoder(conn); ; {
			token, err := dec.Token()
			wantNoError(t, err)
			start, ok := token.(xml.StartElement)
			if ok && start.Name.Local == "handshake" {
				return
			}
			for _, a := range start.Attr {
				if start.Name.Local == "stream" && a.Name.Local == "id" {
					sum := sha1.Sum([]byte(a.Value + ComponentSecret))
					io.WriteString(conn, "<handshake>"+hex.EncodeToString(sum[:])+"</handshake>")
				}
			}
		}
	})
}
