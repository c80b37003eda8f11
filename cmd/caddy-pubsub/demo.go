package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-pubsub/caddy-pubsub/internal/xmpptest"
)

func init() {
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	flags.String("listen", "localhost:8080", "The address to serve the page at")
	flags.String("jid", "", "The account to log in as, in place of the service inside this process")
	flags.String("server", "", "[xmpp://|xmpps://]host[:port] of its server")
	flags.String("service", "", "The JID of the publish-subscribe service")
	flags.String("ca", "", "A PEM file with the authorities to trust for the server's certificate")
	flags.String("node", "", "The node to show")
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--listen <address>] [--jid <JID> --node <name> [--server <address>] [--service <JID>] [--ca <file>]]",
		Short: "Shows a publish-subscribe node in a web page",
		Long: `
Serves a web page that shows the events of a publish-subscribe node as they
arrive. Without --jid, node and XMPP server are a small service inside this
process, and an event is published every second. With --jid, that account is
logged in, with the password from the environment variable XMPP_PASSWORD, and
shows the node that --node names.`,
		Flags: flags,
		Func:  runDemo,
	})
}

//go:embed demo
var demoPage embed.FS

// A demo is what the page shows: a node, and the account to see it with.
type demo struct {
	jid, password, server, service, ca, node string
}

func runDemo(fl caddycmd.Flags) (int, error) {
	dir, err := os.MkdirTemp("", "caddy-pubsub-demo")
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	caddy.OnExit(func(context.Context) { os.RemoveAll(dir) })
	d := demo{
		jid: fl.String("jid"), password: "{env.XMPP_PASSWORD}", server: fl.String("server"),
		service: fl.String("service"), ca: fl.String("ca"), node: fl.String("node"),
	}
	switch {
	case d.jid == "" && d.server+d.service+d.ca+d.node != "":
		err = errors.New("--server, --service, --ca and --node need --jid")
	case d.jid == "":
		d, err = startService(dir)
	case d.node == "":
		err = errors.New("--jid needs --node")
	case os.Getenv("XMPP_PASSWORD") == "":
		err = errors.New("set the environment variable XMPP_PASSWORD to the password of " + d.jid)
	}
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if err := d.serve(dir, fl.String("listen")); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	caddy.TrapSignals()
	select {} // until a signal ends the process
}

// startService starts a publish-subscribe service with a node that gets an
// event every second, until the process ends.
func startService(dir string) (demo, error) {
	const user, password, node = "demo", "demo", "demo"
	srv, err := xmpptest.Start(xmpptest.Config{Users: map[string]string{user: password}})
	if err != nil {
		return demo{}, err
	}
	srv.CreateNode(node, xmpptest.NodeConfig{})
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, srv.CertPEM(), 0o600); err != nil {
		return demo{}, err
	}
	go func() {
		for n := 1; ; n++ {
			srv.Publish(node, fmt.Sprint(n), fmt.Sprintf(
				"<entry xmlns='http://www.w3.org/2005/Atom'><title>Event %d</title><updated>%s</updated></entry>",
				n, time.Now().UTC().Format(time.RFC3339)))
			time.Sleep(time.Second)
		}
	}()
	return demo{
		jid: user + "@" + srv.Domain(), password: password, server: srv.Addr(),
		service: srv.Service(), ca: ca, node: node,
	}, nil
}

// serve runs Caddy with the page, whose files are copied to dir.
func (d demo) serve(dir, listen string) error {
	page, err := fs.Sub(demoPage, "demo")
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "page")
	if err := os.CopyFS(root, page); err != nil {
		return err
	}
	caddyfile, err := d.caddyfile(root, listen)
	if err != nil {
		return err
	}
	cfg, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		return err
	}
	// Caddy would share the port with whoever has it.
	probe, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("%w (see --listen)", err)
	}
	if err := probe.Close(); err != nil {
		return err
	}
	if err := caddy.Load(cfg, true); err != nil {
		return err
	}
	fmt.Printf("\n  Node %q is live at  http://%s\n  Press Ctrl+C to end.\n\n", d.node, listen)
	return nil
}

// caddyfile returns the config for the demo. What is quoted in it comes from
// whoever started the command.
func (d demo) caddyfile(root, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	if host == "localhost" {
		host = "127.0.0.1" // the one of its addresses that is always there
	}
	var options strings.Builder
	for _, o := range []struct{ name, value string }{
		{"jid", d.jid}, {"password", d.password}, {"server", d.server}, {"service", d.service},
	} {
		if o.value != "" {
			fmt.Fprintf(&options, "\t\t%s %s\n", o.name, quote(o.value))
		}
	}
	if d.ca != "" {
		fmt.Fprintf(&options, "\t\ttls {\n\t\t\tca %s\n\t\t}\n", quote(d.ca))
	}
	return fmt.Sprintf(`{
	admin off
	persist_config off
	log default {
		format console
		level WARN
		exclude admin
	}
	servers {
		protocols h1
	}
}
http://:%s {
	bind %s
	root %s
	pubsub_eventsource {
%s	}
	handle /node {
		respond %s
	}
	file_server
}
`, port, quote(host), quote(root), options.String(), quote(d.node)), nil
}

// quote returns s as one argument of a Caddyfile.
func quote(s string) string {
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}
