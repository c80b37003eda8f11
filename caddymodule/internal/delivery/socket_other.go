//go:build !linux

package delivery

import (
	"errors"
	"net"
)

func canTake(net.Conn) bool { return false }

// A poller watches the connections of a loop.
type poller struct{}

var errNoPoller = errors.New("connections cannot be taken over on this system")

func newPoller() (*poller, error)     { return nil, errNoPoller }
func (*poller) run(func([]readiness)) {}
func (*poller) close()                {}

// A socket would write to a connection without waiting.
type socket struct{}

func (*socket) open(net.Conn, *poller, token) error { return errNoPoller }
func (*socket) write([]byte) (int, error)           { return 0, errNoPoller }
func (*socket) await(*poller, token) error          { return errNoPoller }
func (*socket) close()                              {}
