package servertest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// markVariable is the environment variable by which the processes of a server
// are found, also those that left its process group.
const markVariable = "SERVERTEST_DIR"

// process is a running server: a process group.
type process struct {
	cmd    *exec.Cmd
	mark   string        // the NAME=value in the environment of all of its processes
	exited chan struct{} // closed when the first process has ended
}

// startProcess starts command in a process group of its own, in the directory
// dir, with its output appended to dir/output.
func startProcess(dir string, c command) (*process, error) {
	output, err := os.OpenFile(filepath.Join(dir, outputFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()

	p := &process{
		cmd:    exec.Command(c.path, c.args...),
		mark:   markVariable + "=" + dir,
		exited: make(chan struct{}),
	}
	p.cmd.Dir = dir
	p.cmd.Env = append(c.env, p.mark, "HOME="+dir, "PATH="+os.Getenv("PATH")+":/usr/bin:/bin", "LANG=C.UTF-8")
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go func() { // ends with the process, which kill and terminate wait for
		// The kernel sends Pdeathsig when the thread that started the process
		// ends, so it has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		// How it ended is of no interest: the log tells why.
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, <-started
}

// ended tells whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// signal sends sig to the process group.
func (p *process) signal(sig syscall.Signal) {
	// An error means that the group has ended.
	_ = syscall.Kill(-p.cmd.Process.Pid, sig)
}

// kill ends all processes at once, and waits until they have ended.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
	// Helpers in process groups of their own end when their pipe to the server
	// does; who does not is helped.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left := marked(p.mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL) // gone meanwhile, perhaps
			}
		}
	}
}

// terminate asks the process to end, waits until it has, and kills what is left
// after the given time.
func (p *process) terminate(patience time.Duration) {
	p.signal(syscall.SIGCONT) // a stopped process would not react
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
	}
	p.kill()
}

// marked returns the processes that have mark in their environment.
func marked(mark string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well-formed
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // not ours, or gone
		}
		for _, variable := range bytes.Split(environ, []byte{0}) {
			if string(variable) != mark {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
