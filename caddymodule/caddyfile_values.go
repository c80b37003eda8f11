package caddymodule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// The functions in this file read the arguments of the option at which d is.
// What can be checked before placeholders are expanded is checked here, where
// file and line are known.

func unmarshalString(d *caddyfile.Dispenser, dst *string) error {
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.ArgErr()
	}
	*dst = args[0]
	return nil
}

func noArgs(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() > 0 {
		return d.ArgErr()
	}
	return nil
}

func unmarshalBlock(d *caddyfile.Dispenser, f func(*caddyfile.Dispenser) error) error {
	if err := noArgs(d); err != nil {
		return err
	}
	return eachOption(d, f)
}

// isTemplate reports whether s has placeholders, so that only what they expand
// to can be checked.
func isTemplate(s string) bool { return strings.Contains(s, "{") }

// unmarshalChecked reads a string that check accepts, unless it is a template.
func unmarshalChecked(d *caddyfile.Dispenser, dst *string, check func(string) error) error {
	if err := unmarshalString(d, dst); err != nil {
		return err
	}
	if isTemplate(*dst) {
		return nil
	}
	if err := check(*dst); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func unmarshalJID(d *caddyfile.Dispenser, dst *string) error {
	return unmarshalChecked(d, dst, checkJID)
}

func checkJID(s string) error {
	_, err := xmppclient.ParseJID(s)
	return err
}

func checkAccount(s string) error {
	jid, err := xmppclient.ParseJID(s)
	if err == nil && jid.Localpart() == "" {
		err = fmt.Errorf("jid: %q has no localpart (want user@domain)", s)
	}
	return err
}

func unmarshalServer(d *caddyfile.Dispenser, dst *string) error {
	return unmarshalChecked(d, dst, xmppclient.CheckServer)
}

func unmarshalPrefix(d *caddyfile.Dispenser, dst *string) error {
	return unmarshalChecked(d, dst, checkPrefix)
}

func unmarshalPatterns(d *caddyfile.Dispenser, dst *[]string) error {
	*dst = d.RemainingArgs()
	if len(*dst) == 0 {
		return d.ArgErr()
	}
	for _, arg := range *dst {
		if _, err := parsePattern(arg); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func unmarshalCORS(d *caddyfile.Dispenser, dst *[]string) error {
	*dst = d.RemainingArgs()
	if len(*dst) == 0 {
		return d.ArgErr()
	}
	if _, err := parseCORS(*dst); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalDuration reads a duration, which cannot be zero since that stands
// for the default, nor so short that it were no different.
func unmarshalDuration(d *caddyfile.Dispenser, dst *caddy.Duration) error {
	name := d.Val()
	var arg string
	if err := unmarshalString(d, &arg); err != nil {
		return err
	}
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration < time.Millisecond {
		return d.Errf("%s: %q is not a duration such as 15s", name, arg)
	}
	*dst = caddy.Duration(duration)
	return nil
}

func unmarshalReplay(d *caddyfile.Dispenser, dst *string) error {
	if err := unmarshalString(d, dst); err != nil {
		return err
	}
	if _, err := parseReplay(*dst); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func unmarshalNumber(d *caddyfile.Dispenser, dst *int) error {
	name := d.Val()
	if d.CountRemainingArgs() != 1 {
		return d.ArgErr()
	}
	d.NextArg()
	return setNumber(d, name, dst)
}

// setNumber sets what the option name has to the argument at which d is.
func setNumber(d *caddyfile.Dispenser, name string, dst *int) error {
	n, err := strconv.Atoi(d.Val())
	if err != nil || n <= 0 {
		return d.Errf("%s: %q is not a number above zero", name, d.Val())
	}
	*dst = n
	return nil
}

func unmarshalSize(d *caddyfile.Dispenser, dst *int64) error {
	name := d.Val()
	if d.CountRemainingArgs() != 1 {
		return d.ArgErr()
	}
	d.NextArg()
	return setSize(d, name, xmppclient.MaxStanza, dst)
}

// maxHistory bounds what may be kept of one node.
const maxHistory = 1 << 30

// setSize sets what the option name has to the argument at which d is, which may
// be so many bytes at most.
func setSize(d *caddyfile.Dispenser, name string, most uint64, dst *int64) error {
	n, err := humanize.ParseBytes(d.Val())
	if err != nil || n == 0 || n > most {
		return d.Errf("%s: %q is not a size such as 512KiB, up to %s", name, d.Val(), strings.ReplaceAll(humanize.IBytes(most), " ", ""))
	}
	*dst = int64(n)
	return nil
}
