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

func newPoller() (*poller, error)                              { return nil, errNoPoller }
func (*poller) run(func([]readiness))                          {}
func (*poller) close()                                         {}
func (*poller) takeOver(net.Conn, token) (o output, err error) { return nil, errNoPoller }
