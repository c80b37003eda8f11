package xmppclient

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// offering runs a login at which the server offers all mechanisms and these
// channel bindings, and returns what the client begins with.
func offering(t *testing.T, maxTLS uint16, bindings ...string) (mechanism, header, bound string) {
	t.Helper()
	bubble(t, func(r *rig) {
		r.fake.maxTLS = maxTLS
		r.fake.login = func(p *peer) bool {
			mechanism, header, bound = p.scram(bindings)
			return p.silent()
		}
		r.run()
		time.Sleep(time.Second)
	})
	return mechanism, header, bound
}

// scram begins SCRAM (RFC 5802), and returns what the client chose, its GS2
// header and the channel that it says it is bound to.
func (p *peer) scram(bindings []string) (mechanism, header, bound string) {
	features := "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism></mechanisms>"
	if bindings != nil {
		features += "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
		for _, b := range bindings {
			features += "<channel-binding type='" + b + "'/>"
		}
		features += "</sasl-channel-binding>"
	}
	if !p.secure() || !p.open(features) {
		return "", "", ""
	}
	d := base64.StdEncoding
	auth := p.element()
	first, _ := d.DecodeString(auth.Inner)
	header, rest, _ := strings.Cut(string(first), "n=")
	_, nonce, _ := strings.Cut(rest, "r=")
	challenge := d.EncodeToString([]byte("r=" + nonce + "x,s=" + d.EncodeToString([]byte("salt")) + ",i=4096"))
	p.send("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + challenge + "</challenge>")
	response := p.element()
	final, _ := d.DecodeString(response.Inner)
	c, _, _ := strings.Cut(strings.TrimPrefix(string(final), "c="), ",")
	data, _ := d.DecodeString(c)
	return auth.Mechanism, header, strings.TrimPrefix(string(data), header)
}

func TestChannelBinding(t *testing.T) {
	for name, test := range map[string]struct {
		maxTLS   uint16
		bindings []string
		want     string // the GS2 header
	}{
		"TLS 1.2":                   {tls.VersionTLS12, nil, "p=tls-unique,,"},
		"TLS 1.3":                   {0, nil, "n,,"},
		"TLS 1.3, exporter":         {0, []string{"tls-server-end-point", "tls-exporter"}, "p=tls-exporter,,"},
		"TLS 1.3, something else":   {0, []string{"tls-server-end-point", "tls-unique"}, "n,,"},
		"TLS 1.3, but nothing said": {0, []string{}, "n,,"},
	} {
		t.Run(name, func(t *testing.T) {
			mechanism, header, bound := offering(t, test.maxTLS, test.bindings...)
			plus := strings.HasPrefix(test.want, "p=")
			if strings.HasSuffix(mechanism, "-PLUS") != plus || header != test.want || (bound != "") != plus {
				t.Errorf("%s with %q bound to %q, want %q", mechanism, header, bound, test.want)
			}
		})
	}
}

func TestBoundToTheExporter(t *testing.T) {
	bubble(t, func(r *rig) {
		r.fake.login = func(p *peer) bool {
			_, _, bound := p.scram([]string{"tls-exporter"})
			state := p.conn.(*tls.Conn).ConnectionState()
			want, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			if err != nil || bound != string(want) {
				t.Errorf("bound to %x, want %x, %v", bound, want, err)
			}
			return p.silent()
		}
		r.run()
		time.Sleep(time.Second)
	})
}
