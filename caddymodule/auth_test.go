package caddymodule_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

const (
	httpPassword = "romeo"
	httpHash     = "$2a$04$jyBC2/91Y6rxqcCnd4JXpOOXCCL3LLcX3cBapWvOjjOZU3.I2z8Se" // bcrypt, at its lowest cost
)

// basicAuth returns a directive by which these users, and no others, pass.
func basicAuth(matcher string, users ...string) string {
	var b strings.Builder
	b.WriteString("basic_auth " + matcher + " {\n")
	for _, user := range users {
		b.WriteString("\t`" + user + "` " + httpHash + "\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// authorization returns the header of a user.
func authorization(user string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+httpPassword))}
}

// TestDirectiveOrder has a site that works without a route: we come after what
// authenticates and compresses, and before what answers everything.
func TestDirectiveOrder(t *testing.T) {
	f, site := start(t, "", "news")
	site.load("respond elsewhere\n" + f.directive("") + "\nencode gzip\n" + basicAuth("", "juliet"))
	if res, _ := site.get("/eventsource/news"); res.StatusCode != 401 {
		t.Errorf("without credentials: %s", res.Status)
	}
	stream := site.stream("/eventsource/news", append(authorization("juliet"), "Accept-Encoding", "gzip")...)
	if encoding := stream.res.Header.Get("Content-Encoding"); encoding != "" {
		t.Errorf("the stream is encoded: %s", encoding)
	}
	stream.wantSubscribed("news")
	if _, body := site.get("/", authorization("juliet")...); body != "elsewhere" {
		t.Errorf("another path: %q", body)
	}
}
