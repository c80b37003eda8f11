package servertest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// orphanVariable turns TestOrphan into the process that TestOrphan kills.
const orphanVariable = "SERVERTEST_ORPHAN"

// TestOrphan kills a test binary which has started a server.
func TestOrphan(t *testing.T) {
	if os.Getenv(orphanVariable) != "" {
		Each(t, Options{}, func(t *testing.T, s *Server) {
			if s.Name() == os.Getenv(orphanVariable) {
				os.Stdout.WriteString("\n" + s.process.mark + "\n")
				select {}
			}
		})
		return
	}
	t.Parallel()
	for _, name := range []string{"prosody", "ejabberd"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestOrphan$/^"+name+"$")
			cmd.Env = append(os.Environ(), orphanVariable+"="+name, "TMPDIR="+t.TempDir())
			out, err := cmd.StdoutPipe()
			wantNoError(t, err)
			wantNoError(t, cmd.Start())
			var mark string
			for lines := bufio.NewScanner(out); !strings.HasPrefix(mark, markVariable+"="); mark = lines.Text() {
				if !lines.Scan() {
					t.Fatal("it started no server")
				}
			}
			if len(marked(mark)) == 0 {
				t.Error("the processes of a running server are not found")
			}
			wantNoError(t, cmd.Process.Kill())
			_ = cmd.Wait() // says that it was killed
			for deadline := time.Now().Add(10 * time.Second); len(marked(mark)) > 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("processes %v are left", marked(mark))
				}
			}
		})
	}
}
