package xmpptest

import (
	"net"
	"strings"
	"time"
)

// streamError returns what ends a stream with an error.
func streamError(condition, text string) string { return streamErrorWith(condition, "", text) }

// streamErrorWith is streamError with content of the condition.
func streamErrorWith(condition, content, text string) string {
	const ns = " xmlns='urn:ietf:params:xml:ns:xmpp-streams'"
	if text != "" {
		text = "<text" + ns + ">" + escape(text) + "</text>"
	}
	end := "/>"
	if content != "" {
		end = ">" + content + "</" + condition + ">"
	}
	return "<stream:error><" + condition + ns + end + text + "</stream:error></stream:stream>"
}

// send queues raw for the writing goroutine. The queue has no bound: who
// publishes never waits for who does not read. A stanza is kept for when the
// session is resumed, or goes to where it was resumed.
func (s *Session) send(raw string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := stanzaName(raw) != ""
	if s.heir != nil && counted {
		return s.heir.send(raw)
	}
	counted = counted && s.ledger != nil
	if s.ended && !(counted && s.ledger.id != "") {
		return net.ErrClosed
	}
	if counted {
		s.ledger.push(raw)
	}
	if s.ended {
		return nil
	}
	s.enqueue(raw)
	if counted {
		s.requestAck()
	}
	return nil
}

// enqueue adds raw to the queue. s.mu must be held.
func (s *Session) enqueue(raw string) {
	s.queue = append(s.queue, raw)
	s.wake.Signal()
}

// end queues final as the last that is ever written. It may be called again.
func (s *Session) end(final string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(final)
}

// finish is end with s.mu held.
func (s *Session) finish(final string) {
	if s.ended {
		return
	}
	s.ended = true
	s.queue = append(s.queue, final)
	s.wake.Signal()
	// It frees the writing goroutine from a client that does not read. It only
	// fails if the connection is closed, which does so too.
	_ = s.conn.SetWriteDeadline(time.Now().Add(linger))
}

// writeLoop writes the queue until the session has ended or the connection is
// gone. It closes the connection.
func (s *Session) writeLoop() {
	for {
		data, last, cut := s.next()
		if len(data) > 0 {
			if _, err := s.rw.Write([]byte(data)); err != nil {
				cut = true
			}
		}
		if cut {
			s.conn.Close()
			return
		}
		if last {
			s.shutdown()
			return
		}
	}
}

// next waits until there is something to write, and takes it. It tells whether
// it is the last, and whether the connection is to be cut after it.
func (s *Session) next() (data string, last, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.ended && s.budget != 0 {
		s.wake.Wait()
	}
	data = strings.Join(s.queue, "")
	s.queue = nil
	if s.budget >= 0 {
		if len(data) >= s.budget {
			return data[:s.budget], s.ended, true
		}
		s.budget -= len(data)
	}
	return data, s.ended, false
}

// shutdown tells the client that nothing follows, and closes the connection
// when the client has closed its half. A connection that hangs it leaves open.
func (s *Session) shutdown() {
	if hung, _ := s.conn.faults(); hung {
		return
	}
	if c, ok := s.rw.(interface{ CloseWrite() error }); ok && s.rw != net.Conn(s.conn) {
		// If TLS cannot be closed the connection is gone.
		_ = c.CloseWrite()
	}
	_ = s.conn.CloseWrite()
	timeout := time.NewTimer(linger)
	defer timeout.Stop()
	select {
	case <-s.readDone:
	case <-timeout.C:
	}
	s.conn.Close()
}
