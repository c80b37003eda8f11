package servertest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// Durable reports whether text, which was part of something that the server was
// told, would still be there after Kill, and with it all that the server was
// told before. Prosody's answers can be relied on; ejabberd answers some
// seconds before it writes.
func (s *Server) Durable(text string) bool {
	found := false
	// What cannot be read is being replaced, and is looked at the next time.
	_ = filepath.WalkDir(filepath.Join(s.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found {
			return nil
		}
		content, _ := os.ReadFile(path)
		found = bytes.Contains(content, []byte(text))
		return nil
	})
	return found
}
