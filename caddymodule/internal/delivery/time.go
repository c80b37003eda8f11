package delivery

import "time"

const (
	// writeFor is how long a client may take to read enough of what there is,
	// or all of it. It need not be fast, but must go on reading.
	writeFor = 20 * time.Second
	enough   = 64 << 10
	// endFor is how long it may take to read the last that it is told.
	endFor = time.Second
)

// Slack is how exactly the time is kept of streams with such a heartbeat.
func Slack(heartbeat time.Duration) time.Duration {
	return max(min(heartbeat/8, maxTick), time.Millisecond)
}

// tickWithin makes sure that the loop looks at its members as often.
func (l *loop) tickWithin(d time.Duration) {
	if l.tick == 0 || d < l.tick {
		l.tick = d
		l.ticker.Reset(d)
	}
}

// lookAtAll looks at what depends on time: who is over, who was silent for long,
// and who takes too long to read.
func (l *loop) lookAtAll() {
	l.now = clock()
	now := time.Now()
	tick := time.Duration(0)
	for _, m := range l.members {
		if m == nil {
			continue
		}
		l.look(m, now)
		if slack := Slack(m.heartbeat); tick == 0 || slack < tick {
			tick = slack
		}
	}
	l.tidy()
	if tick == l.tick {
		return
	}
	if l.tick = tick; tick == 0 {
		l.ticker.Stop()
	} else {
		l.ticker.Reset(tick)
	}
}

func (l *loop) look(m *Member, now time.Time) {
	defer l.rescue(m)
	if m.ended == 0 {
		if err := m.stream.Over(now); err != nil {
			l.over(m, err)
			return
		}
	}
	if m.taken {
		l.lookAtConn(m)
		return
	}
	if due := m.due.Load(); due != 0 && due <= int64(l.now) {
		m.due.Store(0)
		m.wake()
	}
	busy := m.busy.Load()
	late := busy != 0 && l.now-time.Duration(busy) > writeFor
	if late || busy != 0 && m.ended != 0 && l.now-time.Duration(m.ended) > endFor {
		m.stream.Interrupt()
	}
}

// over ends a stream for the reason.
func (l *loop) over(m *Member, reason error) {
	m.ended = int64(l.now)
	if m.taken {
		l.endConn(m, reason)
		return
	}
	m.over.Store(&reason)
	m.wake()
}

// lookAtConn sends a heartbeat if it is time, or cuts a connection that was full
// for too long.
func (l *loop) lookAtConn(m *Member) {
	c := &m.conn
	silent := l.now - c.since
	switch {
	case c.rest != nil && silent > writeFor:
		l.finish(m, ErrSlow)
	case c.rest == nil && silent >= m.heartbeat-Slack(m.heartbeat):
		l.send(m, heartbeat)
	}
}
