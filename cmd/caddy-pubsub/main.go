// Command caddy-pubsub is Caddy with the pubsub_eventsource handler and all of
// Caddy's standard modules. Its command demo shows the handler at work.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-pubsub/caddy-pubsub/caddymodule"
)

func main() {
	caddycmd.Main()
}
