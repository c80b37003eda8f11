package caddymodule

import (
	"sync/atomic"

	"go.uber.org/zap"
)

// A hold counts what needs the account of a handler: the handler itself, until
// its config is gone, and its streams. It costs a stream nothing to speak of,
// where the pool of accounts would have to be locked.
type hold struct{ count atomic.Int64 }

// take takes part in the hold. It fails if there is none any more.
func (h *hold) take() bool {
	for {
		n := h.count.Load()
		if n == 0 {
			return false
		}
		if h.count.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// drop undoes take, and reports whether nothing needs the account any more.
func (h *hold) drop() (last bool) { return h.count.Add(-1) == 0 }

// release drops the hold of a stream, and the account after the last. It waits
// until the account has logged out if nobody else has it.
func (h *Handler) release() {
	if h.hold.drop() {
		h.dropAccount()
	}
}

func (h *Handler) dropAccount() {
	if _, err := accounts.Delete(h.key); err != nil {
		h.log.Error("ending the XMPP session", zap.Error(err))
	}
}
