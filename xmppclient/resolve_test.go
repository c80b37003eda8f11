package xmppclient

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

// srvRecords are what a resolver knows, by service.
type srvRecords map[string][]dnsmessage.SRVResource

func srv(target string, port, priority uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target), Port: port, Priority: priority, Weight: 1}
}

// resolver asks a name server in memory that knows the records. A nil map is
// one that never answers.
func (records srvRecords) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := memConns(1 << 16)
		go records.serve(server)
		return &dnsConn{memConn: client}, nil
	}}
}

// The resolver makes a channel of its own at the first lookup, which must not
// belong to a bubble.
func TestMain(m *testing.M) {
	_, _, _ = srvRecords{}.resolver().LookupSRV(context.Background(), "xmpp-client", "tcp", "example.org")
	goleak.VerifyTestMain(m)
}

// A dnsConn is a memConn with the read deadline that a resolver depends on.
type dnsConn struct {
	*memConn
	once sync.Once
}

func (c *dnsConn) SetDeadline(t time.Time) error {
	c.once.Do(func() { time.AfterFunc(time.Until(t), func() { c.in.end(syscall.ETIMEDOUT) }) })
	return nil
}

func (records srvRecords) serve(conn net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		packed := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, packed); err != nil {
			return
		}
		if records == nil {
			continue
		}
		answer, err := records.answer(packed)
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

func (records srvRecords) answer(packed []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packed); err != nil {
		return nil, err
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	service, _, _ := strings.Cut(strings.TrimPrefix(q.Name.String(), "_"), ".")
	for _, r := range records[service] {
		if strings.HasSuffix(q.Name.String(), "._tcp.example.org.") {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &r})
		}
	}
	if m.Answers == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}

func TestResolve(t *testing.T) {
	for name, test := range map[string]struct {
		records srvRecords
		want    string
	}{
		"nothing": {srvRecords{}, "xmpp://example.org:5222"},
		"one": {srvRecords{"xmpp-client": {srv("a.example.org.", 5000, 5)}},
			"xmpp://a.example.org:5000 xmpp://example.org:5222"},
		"both, by priority": {srvRecords{
			"xmpps-client": {srv("s2.example.", 443, 20), srv("s1.example.", 443, 5)},
			"xmpp-client":  {srv("p2.example.", 5222, 30), srv("p1.example.", 5222, 10), srv("p0.example.", 5222, 1)},
		}, "xmpp://p0.example:5222 xmpps://s1.example:443 xmpp://p1.example:5222 xmpps://s2.example:443 xmpp://p2.example:5222 xmpp://example.org:5222"},
		"TLS from the start first": {srvRecords{
			"xmpps-client": {srv("s.example.", 443, 5)}, "xmpp-client": {srv("p.example.", 5222, 5)},
		}, "xmpps://s.example:443 xmpp://p.example:5222 xmpp://example.org:5222"},
		"not offered": {srvRecords{"xmpps-client": {srv(".", 0, 0)}, "xmpp-client": {srv("p.example.", 5222, 5)}},
			"xmpp://p.example:5222 xmpp://example.org:5222"},
		"neither offered": {srvRecords{"xmpps-client": {srv(".", 0, 0)}, "xmpp-client": {srv(".", 0, 0)}}, "xmpp://example.org:5222"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := spelled(resolve(t.Context(), test.records.resolver(), "example.org")); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		})
	}
}

func TestDomainOutsideASCII(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := "xmpp://xn--bcher-kva.example:5222"
		if got := spelled(resolve(t.Context(), srvRecords{}.resolver(), "bücher.example")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	account, err := ParseJID("gateway@bücher.example")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Account: account, Password: "x"})
	if err != nil || c.cfg.TLS.ServerName != "xn--bcher-kva.example" {
		t.Error(c.cfg.TLS.ServerName, err)
	}
}

func spelled(endpoints []endpoint) string {
	return strings.Trim(fmt.Sprint(endpoints), "[]")
}

func TestResolveWithDeadNameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got := spelled(resolve(t.Context(), srvRecords(nil).resolver(), "example.org"))
		if d := time.Since(began); got != "xmpp://example.org:5222" || d > time.Minute {
			t.Errorf("%s after %v", got, d)
		}
	})
}

// The first records lead nowhere: one is refused, one is no XMPP server, one
// never answers.
func TestFallbackToTheNextCandidate(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Server = ""
		r.resolver = srvRecords{
			"xmpps-client": {srv("refused.example.", 1, 1), srv("silent.example.", 2, 2)},
			"xmpp-client":  {srv("web.example.", 3, 3), srv("last.example.", 4, 4)},
		}.resolver()
		var dialled []string
		r.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			client, server := memConns(1 << 16)
			switch addr {
			case "silent.example:2":
				return client, nil
			case "web.example:3":
				_, _ = server.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				return client, server.Close()
			case "last.example:4", "example.org:5222":
				if len(dialled) == 5 {
					return r.fake.dial(ctx, network, addr)
				}
			}
			return nil, syscall.ECONNREFUSED
		}
		began := time.Now()
		r.run()
		r.session()
		want := []string{"refused.example:1", "silent.example:2", "web.example:3", "last.example:4", "example.org:5222"}
		if !slices.Equal(dialled, want) {
			t.Errorf("dialled %v, want %v", dialled, want)
		}
		if d := time.Since(began); d > loginTimeout+time.Second {
			t.Errorf("it took %v", d)
		}
		if links := take(r, &r.links); len(links) != 1 || links[0].state != Up {
			t.Errorf("links: %+v", links)
		}
	})
}

func TestErrorOfAllCandidates(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Server = ""
		r.resolver = srvRecords{"xmpp-client": {srv("a.example.", 1, 1)}}.resolver()
		r.fake.setDown(true)
		r.run()
		synctest.Wait()
		links := take(r, &r.links)
		for _, want := range []string{"xmpp://a.example:1", "xmpp://example.org:5222", "gateway@example.org", "refused"} {
			if len(links) != 1 || !strings.Contains(links[0].err.Error(), want) {
				t.Errorf("%v does not tell %q", links, want)
			}
		}
	})
}

func TestParseServer(t *testing.T) {
	for s, want := range map[string]string{
		"example.org":              "xmpp://example.org:5222",
		"example.org:1":            "xmpp://example.org:1",
		"xmpp://example.org":       "xmpp://example.org:5222",
		"xmpp://example.org:443":   "xmpp://example.org:443",
		"xmpps://example.org":      "xmpps://example.org:5223",
		"xmpps://example.org:443":  "xmpps://example.org:443",
		"example.org:xmpp-client":  "xmpp://example.org:xmpp-client",
		"127.0.0.1":                "xmpp://127.0.0.1:5222",
		"::1":                      "xmpp://[::1]:5222",
		"[::1]":                    "xmpp://[::1]:5222",
		"[::1]:1":                  "xmpp://[::1]:1",
		"xmpps://[2001:db8::1]":    "xmpps://[2001:db8::1]:5223",
		"xmpps://[2001:db8::1]:99": "xmpps://[2001:db8::1]:99",
	} {
		e, err := parseServer(s)
		if err != nil || e.String() != want {
			t.Errorf("%q is %v, %v, want %s", s, e, err, want)
		}
	}
	for _, s := range []string{":5222", "xmpp://", "xmpps://", "xmpp://:1", "[]", "[]:1", "example.org:", "example.org:99999", "example.org:-1",
		"example.org:foo", "http://example.org", "https://example.org:443", "user@example.org", "example.org/path", "example.org 5222",
		"XMPP://example.org", "[::1", "::1]", "a:b:c"} {
		if e, err := parseServer(s); err == nil {
			t.Errorf("%q is %v, want an error", s, e)
		} else if !strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if CheckServer("") != nil || CheckServer("::1") != nil || CheckServer(":1") == nil {
		t.Error("CheckServer says otherwise")
	}
	if e, err := parseServer(""); e != nil || err != nil {
		t.Error(e, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	account := func(s string) JID {
		j, err := ParseJID(s)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	good := Config{Account: account("gateway@example.org"), Password: "x"}
	for want, change := range map[string]func(*Config){
		"localpart": func(cfg *Config) { cfg.Account = account("example.org") },
		"account":   func(cfg *Config) { cfg.Account = JID{} },
		"password":  func(cfg *Config) { cfg.Password = "" },
		"server":    func(cfg *Config) { cfg.Server = "http://example.org" },
		"resource":  func(cfg *Config) { cfg.Resource = "a\x00b" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	good.Account = account("gateway@example.org/mine")
	good.Resource = "other"
	c, err := New(good)
	if err != nil || c.cfg.Resource != "mine" || c.cfg.TLS.ServerName != "example.org" {
		t.Error(c, err)
	}
	if _, err := ParseJID("@@//"); err == nil || !strings.Contains(err.Error(), "@@//") {
		t.Error(err)
	}
}
