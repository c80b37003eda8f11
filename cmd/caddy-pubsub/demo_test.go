package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestDemoRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, args := range map[string][]string{
		"need --jid":              {"--node", "news"},
		"needs --node":            {"--jid", "a@localhost"},
		"XMPP_PASSWORD":           {"--jid", "a@localhost", "--node", "news"},
		"address already in use":  {"--listen", taken.Addr().String()},
		"missing port in address": {"--listen", "localhost"},
	} {
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"demo"}, args...)...)
		cmd.Env = append(os.Environ(), "XMPP_PASSWORD=", "XDG_DATA_HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
