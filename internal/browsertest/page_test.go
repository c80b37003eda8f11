package browsertest

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

//go:embed page.js
var pageScript string

// writePage writes index.html and what it loads to a folder, and returns the
// directives that serve it. The scripts run before page.js, in a window that
// then has no EventSource of the browser's.
func writePage(t *testing.T, scripts ...string) (directives string) {
	t.Helper()
	html := "<!DOCTYPE html><meta charset='utf-8'><title>page</title>"
	dir := t.TempDir()
	if len(scripts) > 0 {
		html += "<script>delete window.EventSource</script>"
	}
	for _, script := range append(scripts, pageScript) {
		html += "<script>" + strings.ReplaceAll(script, "</script", `<\/script`) + "</script>"
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(html), 0o644); err != nil {
		t.Fatal(err)
	}
	return "root * " + dir + "\nfile_server\n"
}

// A page is one that the browser has loaded.
type page struct {
	t   *testing.T
	ctx context.Context
}

// An event is one that the page was told.
type event struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Data string `json:"data"`
}

// visit loads the page of an origin into the tab.
func visit(t *testing.T, tab context.Context, origin string) *page {
	t.Helper()
	p := &page{t, tab}
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(origin+"/")); err != nil {
		t.Fatalf("loading the page: %v", err)
	}
	return p
}

// do evaluates a JavaScript expression in the page, and returns what it results
// in, or what the promise does that it results in.
func do[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v; the page says: %s", expression, err, p.state())
	}
	return result
}

// state says what the page has seen, for messages.
func (p *page) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("JSON.stringify({opens, errors, events})"))
	if err != nil {
		return err.Error()
	}
	return state
}

// until waits for a condition of the page.
func (p *page) until(condition string) {
	p.t.Helper()
	do[bool](p, "until(() => "+condition+")")
}

// follow makes the page open an event stream. The options are those of
// EventSource, in JavaScript.
func (p *page) follow(url, options string) {
	p.t.Helper()
	do[chromedp.Void](p, "follow("+quote(url)+", "+options+")")
}

// next waits for the next event.
func (p *page) next() event {
	p.t.Helper()
	return do[event](p, "next()")
}

// want wants the next event to be of the name and to have the data.
func (p *page) want(name, data string) event {
	p.t.Helper()
	ev := p.next()
	if ev.Name != name || ev.Data != data {
		p.t.Fatalf("event %q with %q, want %q with %q", ev.Name, ev.Data, name, data)
	}
	if ev.ID == "" {
		p.t.Errorf("event %q has no id", name)
	}
	return ev
}

// quote returns s as JavaScript.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}
