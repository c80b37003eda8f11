// Package faulttest tests what event streams get while everything that can
// fail does: links, XMPP servers, streams and gateways.
//
// A gateway is a child process with the command itself. Between it and a real
// XMPP server is a link that can be cut. Publishers publish at several nodes of
// different kinds all the while, and a crowd of streams follows them as
// browsers do, with the last event ID they got. What they got is then compared
// with what was published: nothing may be lost, doubled or out of order, and
// gaps are to be where something could not be known, and nowhere else.
//
//	go test -race ./internal/faulttest                                 # two minutes at most
//	FAULTS_ROUNDS=10 go test -race -timeout 3h ./internal/faulttest    # ten times the faults
//
// The judge is in check_test.go, and is judged in judge_test.go. There is
// nothing in the package but tests.
package faulttest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is for what should take a few seconds at most, on a machine that is
// busy with other tests.
const patience = 45 * time.Second

// folder is where the command is built.
var folder string

// binary returns the command, which is built once, with the race detector. With
// FAULTS_BINARY it is one that was built before.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("FAULTS_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(folder, "caddy-pubsub")
	out, err := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", path, "../../cmd/caddy-pubsub").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the command: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	// How many scenarios run at a time is for each to say.
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	var err error
	if folder, err = os.MkdirTemp("", "faulttest"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}
