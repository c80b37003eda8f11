package xmppclient

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"slices"
	"strings"

	"mellium.im/xmpp"
)

const nsChannelBindings = "urn:xmpp:sasl-cb:0"

// channelBindings are the types of channel binding that the server says it can
// do (XEP-0440).
type channelBindings []string

// feature is what tells them. There is nothing to negotiate about it.
func (b *channelBindings) feature() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:      xml.Name{Space: nsChannelBindings, Local: "sasl-channel-binding"},
		Necessary: xmpp.Ready, // which it never is: it is only read
		Parse: func(_ context.Context, d *xml.Decoder, start *xml.StartElement) (bool, any, error) {
			var parsed struct {
				Bindings []struct {
					Type string `xml:"type,attr"`
				} `xml:"channel-binding"`
			}
			err := d.DecodeElement(&parsed, start)
			for _, binding := range parsed.Bindings {
				*b = append(*b, binding.Type)
			}
			return false, nil, err
		},
	}
}

// usable returns which of the SASL mechanisms that the server offers can work.
// ejabberd 23.01 offers SCRAM with channel binding in TLS 1.3, too, but can
// only bind to tls-unique there, which TLS 1.3 has not; so tls-exporter
// (RFC 9266) is used only where the server says that it knows it.
func (b channelBindings) usable(offered []string, state tls.ConnectionState) []string {
	if state.Version < tls.VersionTLS13 || slices.Contains(b, "tls-exporter") {
		return offered
	}
	return slices.DeleteFunc(slices.Clone(offered), func(name string) bool { return strings.HasSuffix(name, "-PLUS") })
}
