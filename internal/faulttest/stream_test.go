package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A stream is a page that follows nodes as an EventSource does: when the
// response ends, it comes back after a while, with the last event ID.
type stream struct {
	name    string
	nodes   []string
	byQuery bool                // brings the last event ID in the URL, as polyfills do
	pick    func() *gateway     // where to connect to next
	history map[string]*history // of each node
	client  *http.Client

	mu       sync.Mutex // guards the following fields
	lastID   string
	instance string // of the gateway that the events come from
	opens    int
	givenUp  bool
	stands   map[string]bool     // nodes whose subscription stood, on this response
	records  map[string][]record // by node
	steps    map[string]int      // the newest number in a mark, by node
	ended    map[string]bool     // whether the last item came, by node
	faults   []fault
	leftAt   map[string]int     // ops sent when the last response ended, by node
	cutNow   context.CancelFunc // ends the response
}

// A record is an event, or that something happened to the stream.
type record struct {
	message message
	mark    *entry // instead of a message
	stamp   int
	when    time.Time
}

func newStream(name string, nodes []string, histories map[string]*history, pick func() *gateway, client *http.Client) *stream {
	s := &stream{
		name: name, nodes: nodes, history: histories, pick: pick, client: client,
		records: map[string][]record{}, steps: map[string]int{}, ended: map[string]bool{},
		cutNow: func() {},
	}
	for _, node := range nodes {
		s.steps[node] = -1
	}
	return s
}

// run follows the nodes until ctx ends, or there is a response after which an
// EventSource would give up for good.
func (s *stream) run(ctx context.Context) {
	for ctx.Err() == nil && !s.hasGivenUp() {
		s.connect(ctx)
		// A browser waits for the reconnection time, this one not so long.
		select {
		case <-ctx.Done():
		case <-time.After(20*time.Millisecond + rand.N(80*time.Millisecond)):
		}
	}
}

func (s *stream) hasGivenUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.givenUp
}

// cut ends the response, wherever it is.
func (s *stream) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutNow()
}

// connect follows the nodes by one response, until it ends.
func (s *stream) connect(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.cutNow = cancel
	lastID := s.lastID
	s.mu.Unlock()
	res, err := s.client.Do(s.request(ctx, lastID))
	if err != nil {
		return // nobody is there; so it tries again
	}
	defer res.Body.Close()
	if !s.opened(res) {
		return
	}
	for p := newParser(res.Body, lastID); ; {
		m, err := p.next()
		s.mu.Lock()
		s.lastID = p.lastID // also if a block that was not dispatched set it
		if err == nil {
			s.got(m)
		}
		s.mu.Unlock()
		if err != nil {
			s.closed()
			return
		}
	}
}

func (s *stream) request(ctx context.Context, lastID string) *http.Request {
	base := s.pick().url() + "/eventsource/"
	query := url.Values{}
	if len(s.nodes) == 1 {
		base += url.PathEscape(s.nodes[0])
	} else {
		query["node"] = s.nodes
	}
	if s.byQuery && lastID != "" {
		query.Set("lastEventId", lastID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"?"+query.Encode(), nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	req.Header.Set("Accept", "text/event-stream")
	if !s.byQuery && lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	return req
}

// opened notes that a response has come, and whether it is an event stream.
func (s *stream) opened(res *http.Response) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.fault(fmt.Sprintf("%s, %s, for the last event ID %.200q", res.Status, res.Header.Get("Content-Type"), s.lastID))
		s.givenUp = true
		return false
	}
	s.opens++
	s.stands = map[string]bool{}
	instance := res.Header.Get("X-Instance")
	if s.instance != "" && s.instance != instance {
		s.note(&entry{what: left, cross: true}, s.leftAt)
		s.note(&entry{what: back}, s.sent())
	}
	s.instance = instance
	return true
}

// got records an event. s.mu must be held.
func (s *stream) got(m message) {
	if what := idFault(m.id); what != "" {
		s.fault(what)
	}
	node, n, end := glance(m)
	h := s.history[node]
	if h == nil {
		s.fault(fmt.Sprintf("event %q with %.200q is of none of the nodes", m.name, m.data))
		return
	}
	if m.name == "subscription" {
		s.stands[node] = true
	}
	s.records[node] = append(s.records[node], record{message: m, stamp: h.sent(), when: time.Now()})
	s.steps[node] = max(s.steps[node], n)
	s.ended[node] = s.ended[node] || end
}

// mark records what happened to the stream.
func (s *stream) mark(e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(&e, s.sent())
}

// note records what happened to the stream, with the ops that had been sent of
// each node. s.mu must be held.
func (s *stream) note(e *entry, stamps map[string]int) {
	for _, node := range s.nodes {
		s.records[node] = append(s.records[node], record{mark: e, stamp: stamps[node]})
	}
}

// sent returns how many ops have been sent of each node.
func (s *stream) sent() map[string]int {
	sent := map[string]int{}
	for _, node := range s.nodes {
		sent[node] = s.history[node].sent()
	}
	return sent
}

// closed notes that a response has ended.
func (s *stream) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leftAt = s.sent()
}

// fault records what is wrong about a response. s.mu must be held.
func (s *stream) fault(text string) {
	s.faults = append(s.faults, fault{badResponse, text})
}

// badResponse is a fault that is no matter of a node.
const badResponse = "bad response"

// entries returns what the stream recorded of a node.
func (s *stream) entries(node string) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []entry
	for _, r := range s.records[node] {
		e := r.mark
		if e == nil {
			e = read(r.message, node, len(s.nodes) > 1)
		}
		if e != nil {
			stamped := *e
			stamped.stamp = r.stamp
			entries = append(entries, stamped)
		}
	}
	return entries
}
