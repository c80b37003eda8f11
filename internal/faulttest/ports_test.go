package faulttest

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// freeAddr returns a loopback address that is free, and stays so as far as one
// can tell: a gateway comes back to it after it was killed. It is below those
// that the kernel gives to connections, and those of servertest.
func freeAddr() string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 2000+rand.IntN(10000))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		return addr
	}
}
