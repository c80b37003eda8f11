package caddymodule

import (
	"context"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const appName = "pubsub_eventsource"

func init() {
	caddy.RegisterModule(new(app))
}

// An app is what the handlers of one config have in common. It is not
// configured by itself: the first handler makes it. It is how accounts log in
// only when the config runs, and not when it is merely validated; and how
// streams learn that the config's time is over before the HTTP server begins to
// wait for them.
type app struct {
	ended atomic.Bool // the config is about to be stopped, or gone

	// The config is provisioned by one goroutine.
	accounts []*account                 // to be started
	servers  map[*caddyhttp.Server]bool // whose connections are known
}

// CaddyModule returns the Caddy module information.
func (*app) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(app) }}
}

// Provision makes sure to hear of the end.
func (a *app) Provision(ctx caddy.Context) error {
	a.servers = make(map[*caddyhttp.Server]bool)
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	return events.(*caddyevents.App).On("stopping", a)
}

// Handle is called before any app of the config is stopped, be it because the
// process exits or because there is another config.
// If the process exits, it waits until the streams have been told.
func (a *app) Handle(context.Context, caddy.Event) error {
	a.ended.Store(true)
	if caddy.Exiting() {
		endStreams()
	}
	return nil
}

// Cleanup is called when the config is gone, even if it never ran.
func (a *app) Cleanup() error {
	a.ended.Store(true)
	return nil
}

func (a *app) add(account *account) { a.accounts = append(a.accounts, account) }

// Start lets the accounts log in.
func (a *app) Start() error {
	for _, account := range a.accounts {
		account.start()
	}
	return nil
}

// Stop lets the accounts log out at once, all at the same time, if the process
// exits. Otherwise an account ends when no handler and no stream has a hold on
// it any more.
func (a *app) Stop() error {
	if caddy.Exiting() {
		for _, account := range a.accounts {
			account.die()
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.App           = (*app)(nil)
	_ caddy.Provisioner   = (*app)(nil)
	_ caddy.CleanerUpper  = (*app)(nil)
	_ caddyevents.Handler = (*app)(nil)
)
