// Package caddypubsub builds the pubsub_eventsource handler into Caddy:
//
//	xcaddy build --with github.com/caddy-pubsub/caddy-pubsub
//
// The handler is in package caddymodule.
package caddypubsub

import (
	_ "github.com/caddy-pubsub/caddy-pubsub/caddymodule"
)
