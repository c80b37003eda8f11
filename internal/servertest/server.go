package servertest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	domain     = "localhost"
	service    = "pubsub.localhost"
	outputFile = "output" // what the process writes to stdout and stderr
	logFile    = "server.log"

	startTimeout = 60 * time.Second // generous: the machine may be busy with other tests
	stopTimeout  = 15 * time.Second
)

// kind is what the two servers differ in.
type kind struct {
	name string
	// configName is the name of the configuration file. Both servers insist on
	// the suffix.
	configName string
	// setup writes the configuration to s.dir, for s.ports.
	setup func(s *Server) error
	// command tells how to start the server, in the foreground.
	command func(s *Server) (command, error)
	// portTaken is what the log has if somebody else got one of the ports.
	portTaken string
}

// command is a program to run.
type command struct {
	path string
	args []string
	env  []string
}

// Server is a running XMPP server. Its methods must not be called concurrently,
// except those that only tell something about it.
type Server struct {
	// Static after start.
	t      testing.TB
	kind   kind
	opts   Options
	dir    string
	caPool *x509.CertPool
	ports  ports

	process *process // nil while it does not run
}

// start starts a server at ports from pick, and again at others if somebody
// else takes one of them meanwhile.
func start(t testing.TB, k kind, o Options, pick func() ports) *Server {
	t.Helper()
	s := &Server{t: t, kind: k, opts: o.withDefaults(), dir: t.TempDir()}
	pool, err := writeCerts(s.dir, domain, service)
	if err != nil {
		t.Fatal(err)
	}
	s.caPool = pool
	t.Cleanup(s.cleanup)

	for attempt := 0; ; attempt++ {
		s.ports = pick()
		if err := k.setup(s); err != nil {
			t.Fatal(err)
		}
		err := s.run()
		if err == nil {
			return s
		}
		if attempt == 4 || !errors.Is(err, errPortTaken) {
			t.Fatal(err)
		}
		s.removeLogs()
	}
}

// cleanup ends the server. If the test failed the end of the log is shown.
func (s *Server) cleanup() {
	s.Kill()
	if s.t.Failed() {
		log := s.Log()
		s.t.Logf("end of the log of %s:\n%s", s.kind.name, log[max(0, len(log)-4000):])
	}
}

// Start starts the server again after Kill or Stop, with the same data and at
// the same ports, and waits until one can log in to it.
func (s *Server) Start() {
	s.t.Helper()
	if s.process != nil {
		return
	}
	s.removeLogs()
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server at once, as a power failure would. Prosody keeps all that
// it has acknowledged; ejabberd may lose what happened within the last seconds.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Stop shuts the server down and waits until it has ended.
func (s *Server) Stop() {
	if s.process != nil {
		s.process.terminate(stopTimeout)
		s.process = nil
	}
}

// Pause stops the server's execution: its connections stay open, but nothing is
// read, written or accepted until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.process != nil {
		s.process.signal(sig)
	}
}

// errPortTaken tells that the server could not listen at one of its ports.
var errPortTaken = errors.New("a port is taken")

// run starts the process and waits until one can log in. After an error
// nothing is left running.
func (s *Server) run() error {
	c, err := s.kind.command(s)
	if err != nil {
		return err
	}
	p, err := startProcess(s.dir, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.wait(ctx, p); err != nil {
		p.kill()
		return fmt.Errorf("starting %s: %w\n%s", s.kind.name, err, s.Log())
	}
	s.process = p
	return nil
}

// wait returns when one can log in, or never will.
func (s *Server) wait(ctx context.Context, p *process) error {
	for {
		ended := p.ended() // before the log is read: then the log is complete
		err := s.ready(ctx)
		// Another server at a taken port may well look ready, so the log is
		// asked in any case.
		switch {
		case strings.Contains(s.Log(), s.kind.portTaken):
			return errPortTaken
		case err == nil:
			return nil
		case ended:
			return fmt.Errorf("it ended: %w", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ready returns an error unless all ports are open, admin can log in, and the
// pubsub service answers.
func (s *Server) ready(ctx context.Context) error {
	for _, addr := range []string{s.Addr(), s.HTTPAddr()} {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		conn.Close()
	}
	c, err := login(ctx, s, "admin")
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.IQ(service, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	return err
}

// Log returns what the server has logged since it was started last.
func (s *Server) Log() string {
	var log strings.Builder
	for _, name := range []string{outputFile, logFile} {
		text, _ := os.ReadFile(filepath.Join(s.dir, name)) // not there yet: nothing logged
		log.Write(text)
	}
	return log.String()
}

func (s *Server) removeLogs() {
	for _, name := range []string{outputFile, logFile} {
		_ = os.Remove(filepath.Join(s.dir, name)) // it may not have logged anything
	}
}
