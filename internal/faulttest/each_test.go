package faulttest

import (
	"os"
	"strconv"
	"testing"

	"github.com/caddy-pubsub/caddy-pubsub/internal/servertest"
)

// scenarios run at the same time, as many as two processors can take.
var scenarios = newGate(8)

// each runs f as the subtests "prosody" and "ejabberd", each with a server of
// its own, at the same time as other scenarios. The least turn comes first;
// scenarios of turn 0 hardly do anything but wait, and do not count.
func each(t *testing.T, turn int, o servertest.Options, f func(t *testing.T, s *servertest.Server)) {
	scenarios.expect()
	t.Parallel()
	run := func(name string, start func(testing.TB, servertest.Options) *servertest.Server) {
		t.Run(name, func(t *testing.T) {
			if turn == 0 {
				t.Parallel()
			} else {
				scenarios.queue(turn)
				t.Parallel()
				scenarios.enter(turn)
				t.Cleanup(scenarios.leave)
			}
			f(t, start(t, o))
		})
	}
	run("ejabberd", servertest.Ejabberd)
	run("prosody", servertest.Prosody)
	scenarios.arrived()
}

// rounds returns how often a fault is to happen: n times, or FAULTS_ROUNDS
// times that.
func rounds(t *testing.T, n int) int {
	t.Helper()
	return n * number(t, "FAULTS_ROUNDS", 1)
}

// number returns what the environment says, or otherwise n.
func number(t *testing.T, variable string, n int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a number from 1", variable, text)
	}
	return n
}
