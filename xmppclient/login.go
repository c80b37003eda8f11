package xmppclient

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/stream"
)

// loginTimeout bounds the way from dialling to the bound resource, for each
// endpoint.
const loginTimeout = 20 * time.Second

var (
	errInsecure = errors.New("the server let us in without TLS or without asking who we are")
	errNoLogin  = errors.New("the server did not let us log in in time")
)

// mechanisms of SASL, the best first (RFC 5802, RFC 7677; PLAIN is RFC 4616).
var mechanisms = []sasl.Mechanism{
	sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain,
}

// connect logs in at the first endpoint where that is possible.
func (c *Client) connect(ctx context.Context) (*session, error) {
	var endpoints []endpoint
	if e, err := parseServer(c.cfg.Server); err != nil {
		return nil, err
	} else if e != nil {
		endpoints = append(endpoints, *e)
	} else {
		endpoints = resolve(ctx, c.resolver, c.cfg.Account.Domainpart())
	}
	if c.elsewhere != "" {
		endpoints = append([]endpoint{{addr: c.elsewhere}}, endpoints...)
	}
	var errs []error
	for _, e := range endpoints {
		s, err := c.login(ctx, e)
		if err == nil {
			return s, nil
		}
		err = fmt.Errorf("logging in to %s as %s: %w", e, c.cfg.Account.Bare(), err)
		if errors.Is(err, ErrRejected) || ctx.Err() != nil {
			return nil, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// login logs in at one endpoint (RFC 6120 §§4–7). It blocks until that is done
// or has failed, for loginTimeout at most.
func (c *Client) login(ctx context.Context, e endpoint) (_ *session, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, loginTimeout, errNoLogin)
	defer cancel()
	raw, err := c.dial(ctx, "tcp", e.addr)
	if err != nil {
		return nil, err
	}
	l := newLink(raw)
	// mellium does not stop for a context, but it does for a broken link.
	stop := context.AfterFunc(ctx, func() { l.drop(context.Cause(ctx)) })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			l.drop(err)
			if cause := l.err(); cause == context.Cause(ctx) {
				err = cause // and not what it looked like from inside
			}
		}
	}()

	s := &session{client: c, link: l, requests: requests{open: make(map[string]*request)}}
	var state xmpp.SessionState
	if e.direct {
		cfg := c.cfg.TLS.Clone()
		cfg.NextProtos = []string{"xmpp-client"} // XEP-0368 §2
		if err := l.secure(tls.Client(raw, cfg)); err != nil {
			return nil, fmt.Errorf("negotiating TLS: %w", err)
		}
		state |= xmpp.Secure
	}
	var bindings channelBindings
	features := []xmpp.StreamFeature{c.startTLS(l), bindings.feature(), c.authenticate(l, &bindings), s.bind()}
	s.xmpp, err = xmpp.NewSession(ctx, c.cfg.Account.Domain(), c.cfg.Account.Bare(), l, state,
		xmpp.NewNegotiator(func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Features: features}
		}))
	if err != nil {
		return nil, err
	}
	// An empty list of features counts as success in mellium.
	if want := xmpp.Secure | xmpp.Authn; s.xmpp.State()&want != want || s.jid == "" {
		return nil, errInsecure
	}
	return s, nil
}

// startTLS is mellium's, but puts TLS inside the link and not around it.
func (c *Client) startTLS(l *link) xmpp.StreamFeature {
	f := xmpp.StartTLS(c.cfg.TLS)
	negotiate := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *xmpp.Session, data any) (xmpp.SessionState, io.ReadWriter, error) {
		mask, _, err := negotiate(ctx, s, data)
		if err != nil {
			return 0, nil, fmt.Errorf("negotiating STARTTLS: %w", err)
		}
		if err := l.secure(tls.Client(l.raw, c.cfg.TLS)); err != nil {
			return 0, nil, fmt.Errorf("negotiating TLS: %w", err)
		}
		return mask, l, nil
	}
	return f
}

// authenticate is mellium's SASL, but tells a refusal from a broken link.
func (c *Client) authenticate(l *link, bindings *channelBindings) xmpp.StreamFeature {
	f := xmpp.SASL("", c.cfg.Password, mechanisms...)
	negotiate := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *xmpp.Session, data any) (xmpp.SessionState, io.ReadWriter, error) {
		mask, rw, err := negotiate(ctx, s, bindings.usable(data.([]string), l.ConnectionState()))
		if err == nil {
			return mask, rw, nil
		}
		condition := saslCondition(err)
		switch {
		case condition == "temporary-auth-failure":
			return 0, nil, fmt.Errorf("authenticating: %s", condition)
		case condition == "" && l.err() != nil:
			return 0, nil, err
		case condition == "":
			condition = err.Error()
		}
		return 0, nil, fmt.Errorf("%w: %s", ErrRejected, condition)
	}
	return f
}

// saslCondition returns the condition of a SASL failure (RFC 6120 §6.5), whose
// type mellium keeps to itself, or "" for any other error.
func saslCondition(err error) string {
	var failure interface {
		error
		TokenReader() xml.TokenReader
	}
	if !errors.As(err, &failure) {
		return ""
	}
	r := failure.TokenReader()
	for depth := 0; ; {
		tok, err := r.Token()
		if start, ok := tok.(xml.StartElement); ok {
			if depth++; depth == 2 {
				return start.Name.Local
			}
		}
		if err != nil || tok == nil {
			return ""
		}
	}
}

// otherHost returns where a server that ended the stream said to go
// (see-other-host, RFC 6120 §4.9.3.19), or "". Whoever is there has to have the
// same certificate.
func otherHost(err error) string {
	var se stream.Error
	if !errors.As(err, &se) || se.Err != "see-other-host" {
		return ""
	}
	addr, err := joinDefaultPort(strings.TrimSpace(se.Content), "5222")
	if err != nil {
		return "" // so that the usual way is all there is
	}
	return addr
}

// isConflict reports whether another session took our resource.
func isConflict(err error) bool {
	var se stream.Error
	var e *Error
	return errors.As(err, &se) && se.Err == "conflict" || errors.As(err, &e) && e.Condition == "conflict"
}
