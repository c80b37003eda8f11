package xmppclient

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
)

// CheckServer returns an error if s is not what Config.Server can be.
func CheckServer(s string) error {
	_, err := parseServer(s)
	return err
}

// parseServer returns the endpoint that s spells, or nil for an empty s.
func parseServer(s string) (*endpoint, error) {
	if s == "" {
		return nil, nil
	}
	e, port, host := endpoint{}, "5222", s
	if rest, ok := strings.CutPrefix(s, "xmpps://"); ok {
		e.direct, port, host = true, "5223", rest
	} else if rest, ok := strings.CutPrefix(s, "xmpp://"); ok {
		host = rest
	}
	if strings.ContainsAny(host, "/?#@ ") {
		return nil, fmt.Errorf("server %q is not [xmpp://|xmpps://]host[:port]", s)
	}
	addr, err := joinDefaultPort(host, port)
	if err != nil {
		return nil, fmt.Errorf("server %q is not [xmpp://|xmpps://]host[:port]: %w", s, err)
	}
	e.addr = addr
	return &e, nil
}

// resolve returns where to look for the server of domain, in the order in
// which to try: what the SRV records for both ways to start TLS say, merged by
// priority (XEP-0368 §3), then the domain itself (RFC 6120 §3.2.2).
func resolve(ctx context.Context, r *net.Resolver, domain string) []endpoint {
	domain = asciiDomain(domain)
	type record struct {
		endpoint
		priority uint16
	}
	var found []record
	for _, service := range []string{"xmpps-client", "xmpp-client"} {
		// An error may come with records that can be used; one that comes
		// without them is as good as none, since there is the domain itself.
		_, srvs, _ := r.LookupSRV(ctx, service, "tcp", domain)
		for _, srv := range srvs {
			if host := strings.TrimSuffix(srv.Target, "."); host != "" { // "." means: not offered
				addr := net.JoinHostPort(host, fmt.Sprint(srv.Port))
				found = append(found, record{endpoint{addr, service == "xmpps-client"}, srv.Priority})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b record) int { return cmp.Compare(a.priority, b.priority) })
	endpoints := make([]endpoint, 0, len(found)+1)
	for _, f := range found {
		endpoints = append(endpoints, f.endpoint)
	}
	return append(endpoints, endpoint{addr: net.JoinHostPort(domain, "5222")})
}
