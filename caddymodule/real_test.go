package caddymodule_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// directive returns one for the server, with more options.
func directive(s *servertest.Server, options string) string {
	return fmt.Sprintf(`pubsub_eventsource {
	jid gateway@%s
	password %s
	server %s
	tls {
		ca %s
	}
	%s
}`, s.Domain(), s.Password("gateway"), s.Addr(), s.CAFile(), options)
}

// must wants no error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReal has what has to hold on real servers.
func TestReal(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		for _, test := range []struct {
			name string
			run  func(*testing.T, *servertest.Server, *servertest.Client)
		}{
			{"golden", realGolden},
			{"names", realNames},
			{"access", realAccess},
			{"closed", realClosed},
			{"errors", realErrors},
			{"payloads", realPayloads},
			{"restart", realRestart}, // the last: it ends admin's session
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, s, s.Admin(t)) })
		}
	})
}

//go:embed testdata/golden.json
var goldenJSON []byte

// notTold is what Prosody's module told and XMPP subscribers of such a node are
// not.
var notTold = regexp.MustCompile(` publisher='admin@localhost'`)

// realGolden publishes what was published while Prosody's own module was
// recorded, and wants the data to be the same.
func realGolden(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	if s.Name() != "prosody" {
		return // which rewrites what it is sent in its own ways
	}
	var cases []struct{ Case, Publish, Data string }
	must(t, json.Unmarshal(goldenJSON, &cases))
	must(t, admin.CreateNode("es", nil))
	site := startCaddy(t, directive(s, ""))
	stream := site.stream("/eventsource/es")
	stream.wantSubscribed("es")
	uuid := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	for _, c := range cases {
		_, err := admin.IQ(s.Service(), "set", c.Publish)
		must(t, err)
		ev, err := stream.next()
		must(t, err)
		want := notTold.ReplaceAllString(uuid.ReplaceAllString(c.Data, "ID"), "")
		if got := uuid.ReplaceAllString(ev.data, "ID"); ev.name != "" || canonical(t, got) != canonical(t, want) {
			t.Errorf("%s: %s, want %s", c.Case, got, want)
		}
	}
	must(t, admin.Publish("es", "lines", "<x xmlns='urn:x'>one\ntwo\n\nid: three</x>"))
	stream.wantItem("lines", "<x xmlns='urn:x'>one\ntwo\n\nid: three</x>")
	must(t, admin.Retract("es", "lines", true))
	stream.want("retract", "<retract id='lines'/>")
	must(t, admin.PurgeNode("es"))
	stream.want("purge", "<purge node='es'/>")
	must(t, admin.DeleteNode("es"))
	stream.want("delete", "<delete node='es'/>")
	stream.wantOver()
}

func realAccess(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	models := []string{"whitelist"}
	if s.Name() == "ejabberd" {
		models = append(models, "authorize", "presence", "roster")
	}
	site := startCaddy(t, directive(s, ""))
	for _, model := range models {
		must(t, admin.CreateNode("access-"+model, map[string]string{"pubsub#access_model": model}))
		must(t, admin.Publish("access-"+model, "1", "<secret xmlns='urn:x'/>"))
		if res, body := site.get("/eventsource/access-" + model); res.StatusCode != http.StatusForbidden || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %s", model, res.Status, body)
		}
	}
	site.load(directive(s, "nodes access-*"))
	for _, model := range models {
		site.wantStatus("/eventsource/access-"+model, http.StatusForbidden)
	}
	must(t, admin.SetAffiliation("access-whitelist", "gateway@localhost", "member"))
	stream := site.stream("/eventsource/access-whitelist")
	stream.wantSubscribed("access-whitelist")
	must(t, admin.Publish("access-whitelist", "2", entry))
	stream.wantItem("2", entry)
	site.load(directive(s, ""))
	site.wantStatus("/eventsource/access-whitelist", http.StatusForbidden)
}

// realClosed has a node that is closed while it is watched.
func realClosed(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	if s.Name() != "ejabberd" {
		return // Prosody tells nobody; see realRestart
	}
	must(t, admin.CreateNode("closing", map[string]string{"pubsub#notify_config": "1"}))
	site := startCaddy(t, directive(s, ""))
	stream := site.stream("/eventsource/closing")
	stream.wantSubscribed("closing")
	must(t, admin.ConfigureNode("closing", map[string]string{"pubsub#access_model": "whitelist"}))
	stream.want("subscription", "<subscription node='closing' subscription='none'/>")
	stream.wantOver()
	site.wantStatus("/eventsource/closing", http.StatusForbidden)
}

func realErrors(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	site := startCaddy(t, directive(s, ""))
	site.wantProblem("/eventsource/none", 404, "none", "item-not-found")
	site.load(directive(s, "nodes *"))
	site.wantProblem("/eventsource/none", 404, "none", "item-not-found")
	for _, options := range []string{"", "\nnodes *"} {
		site.load(directive(s, "service localhost"+options))
		site.wantStatus("/eventsource/news", http.StatusNotFound)
	}
}

// realRestart kills the server under streams.
func realRestart(t *testing.T, s *servertest.Server, admin *servertest.Client) {
	must(t, admin.CreateNode("stays", nil))
	must(t, admin.CreateNode("closes", nil))
	site := startCaddy(t, directive(s, ""))
	stays, closes := site.stream("/eventsource/stays"), site.stream("/eventsource/closes")
	stays.wantSubscribed("stays")
	closes.wantSubscribed("closes")
	must(t, admin.Publish("stays", "1", entry))
	stays.wantItem("1", entry)
	must(t, admin.ConfigureNode("closes", map[string]string{"pubsub#access_model": "whitelist"}))
	if _, err := admin.Items("stays"); err != nil { // ejabberd has written what came before
		t.Fatal(err)
	}
	s.Stop()
	stays.wantLine(": the link to the XMPP server is lost")
	s.Start()
	must(t, s.Admin(t).Publish("stays", "2", entry))
	stays.wantItem("2", entry)
	closes.want("subscription", "<subscription node='closes' subscription='none'/>")
	closes.wantOver()
}
