package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cors says which pages of other origins may read our responses (WHATWG Fetch
// §3.2).
type cors struct {
	off      bool
	anyone   bool     // without credentials
	origins  []string // exact, in lower case
	suffixes []origin // https://*.example.org
}

// An origin is one whose host is any name under a domain.
type origin struct{ scheme, suffix string }

// What a preflight allows (WHATWG Fetch §3.2.2): the headers that clients of
// event streams send, htmx' among them.
const (
	allowedHeaders = "Accept, Authorization, Cache-Control, Content-Type, Last-Event-ID, X-Requested-With, " +
		"HX-Boosted, HX-Current-URL, HX-History-Restore-Request, HX-Prompt, HX-Request, HX-Request-Type, " +
		"HX-Source, HX-Target, HX-Trigger, HX-Trigger-Name"
	preflightAge = "7200" // seconds; Chromium remembers for no longer
)

// parseCORS parses the cors option.
func parseCORS(args []string) (cors, error) {
	var c cors
	for _, arg := range args {
		switch {
		case (arg == "off" || arg == "*") && len(args) > 1:
			return c, fmt.Errorf("cors: %s excludes all else", arg)
		case arg == "off":
			c.off = true
		case arg == "*":
			c.anyone = true
		case arg == "null":
			c.origins = append(c.origins, arg)
		default:
			if err := c.addOrigin(arg); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func (c *cors) addOrigin(arg string) error {
	u, err := url.Parse(strings.ToLower(arg))
	if err != nil || u.Scheme == "" || u.Host == "" || !strings.EqualFold(arg, u.Scheme+"://"+u.Host) {
		return fmt.Errorf("cors: %q is not an origin such as https://app.example.org", arg)
	}
	scheme, host := u.Scheme, u.Host
	domain, ok := strings.CutPrefix(host, "*.")
	if strings.Contains(domain, "*") {
		return fmt.Errorf("cors: %q has an asterisk that is not the first label", arg)
	}
	if ok {
		c.suffixes = append(c.suffixes, origin{scheme + "://", "." + domain})
	} else {
		c.origins = append(c.origins, scheme+"://"+host)
	}
	return nil
}

// allows reports whether pages of the origin may read with credentials.
func (c *cors) allows(o string) bool {
	if slices.Contains(c.origins, o) {
		return true
	}
	for _, s := range c.suffixes {
		if host, ok := strings.CutPrefix(o, s.scheme); ok {
			if labels, ok := strings.CutSuffix(host, s.suffix); ok && labels != "" && !strings.ContainsAny(labels, "/:@") {
				return true
			}
		}
	}
	return false
}

// setHeaders sets what belongs on every response, errors included, unless the
// site has set it.
func (c *cors) setHeaders(h http.Header, r *http.Request) {
	if c.off || h.Get("Access-Control-Allow-Origin") != "" {
		return
	}
	if c.anyone {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.Add("Vary", "Origin")
	if o := r.Header.Get("Origin"); c.allows(o) {
		h.Set("Access-Control-Allow-Origin", o)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight answers an OPTIONS request.
func (c *cors) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Allow", allowedMethods)
	if !c.off && r.Header.Get("Access-Control-Request-Method") != "" {
		for name, value := range map[string]string{
			"Access-Control-Allow-Methods": "GET, HEAD",
			"Access-Control-Allow-Headers": allowedHeaders,
			"Access-Control-Max-Age":       preflightAge,
		} {
			if h.Get(name) == "" {
				h.Set(name, value)
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
