package browsertest

import (
	"context"
	"net/url"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

// basicAuth lets in user with the password secret.
const basicAuth = `{
	user $2a$04$rXIUNBpbYkFEUnkyGVYWnOmZNeSr7E.bgNVCs74me3PBCtNo2RHjy
}
`

// cookieSite has directives that show event streams only to those who have a
// cookie, which they get at /login.
func cookieSite(attributes string) string {
	return `header /login Set-Cookie "session=secret; HttpOnly; Path=/; ` + attributes + `"
respond /login 204
@stranger {
	path /eventsource/*
	not header Cookie *session=secret*
}
error @stranger 401
`
}

// getCookie gets the page the cookie of a cookieSite.
func (p *page) getCookie(s *site) {
	p.t.Helper()
	do[bool](p, "fetch("+quote(s.origin+"/login")+", {mode: 'no-cors', credentials: 'include'}).then(() => true)")
}

// login makes the browser log in at a site with basicAuth.
func login(t *testing.T, tab context.Context, s *site) {
	t.Helper()
	u, err := url.Parse(s.origin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "secret")
	visit(t, tab, u.String())
}

// TestCookie follows a node of another origin, which is shown only to those who
// have the cookie of its site.
func TestCookie(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://localhost")
	home.directives = writePage(t)
	streams.directives = cookieSite("SameSite=Lax") + xmpp.directive("cors "+home.origin)
	startCaddy(t, home, streams)
	tab := startChromium(t)

	p := visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{withCredentials: true}")
	p.wantRefused()

	p.getCookie(streams)
	p = visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{}")
	p.wantRefused()

	p = visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{withCredentials: true}")
	p.want("subscription", subscribed("news"))
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
}

// TestBasicAuth follows a node of another origin, where the browser has logged
// in with a password.
func TestBasicAuth(t *testing.T) {
	xmpp := startFake(t)
	xmpp.CreateNode("news", xmpptest.NodeConfig{})
	home, streams := newSite(t, "http://localhost"), newSite(t, "http://localhost")
	home.directives = writePage(t)
	streams.directives = "basic_auth " + basicAuth + xmpp.directive("cors "+home.origin) + "respond hello\n"
	startCaddy(t, home, streams)
	tab := startChromium(t)

	login(t, tab, streams)
	p := visit(t, tab, home.origin)
	p.follow(streams.origin+"/eventsource/news", "{withCredentials: true}")
	p.want("subscription", subscribed("news"))
	xmpp.Publish("news", "1", "<x xmlns='urn:x'/>")
	p.want("message", item("1", "<x xmlns='urn:x'/>"))
}
