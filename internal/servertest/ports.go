package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// ports are the loopback ports of one server.
type ports struct {
	C2S, TLS, HTTP, Component int
}

// freePorts returns ports that nobody listens at now. They lie below those that
// Linux hands out by itself, so that no outgoing connection takes one before
// the server does, or while it is down between Kill and Start.
func freePorts() ports {
	seen := map[int]bool{}
	next := func() int {
		for {
			port := 12000 + rand.IntN(20000)
			if seen[port] {
				continue
			}
			seen[port] = true
			l, err := net.Listen("tcp", loopback(port))
			if err != nil {
				continue
			}
			l.Close()
			return port
		}
	}
	return ports{C2S: next(), TLS: next(), HTTP: next(), Component: next()}
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
