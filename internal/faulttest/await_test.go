package faulttest

import (
	"errors"
	"time"
)

// await waits until missing tells that nothing is, and returns what still is
// after some time.
func await(patience time.Duration, missing func() string) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	deadline := time.Now().Add(patience)
	for {
		what := missing()
		if what == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New(what)
		}
		<-look.C
	}
}
