package browsertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// npmInstall installs the packages, such as name@version, and returns the folder
// that they are in.
func npmInstall(t *testing.T, packages ...string) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Fatal("npm is not installed; `make test` installs it")
	}
	dir := t.TempDir()
	args := []string{"install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", dir}
	if out, err := exec.CommandContext(t.Context(), npm, append(args, packages...)...).CombinedOutput(); err != nil {
		t.Fatalf("installing %q: %v\n%s", packages, err, out)
	}
	return filepath.Join(dir, "node_modules")
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
