package servertest

import (
	"os"
	"path/filepath"
	"text/template"
)

// configData is what the templates of the configurations are filled with.
type configData struct {
	Options
	C2S, TLS, HTTP, ComponentPort int
	Dir, LogFile, ComponentSecret string
}

// configFile returns the path of the configuration file.
func (s *Server) configFile() string { return filepath.Join(s.dir, s.kind.configName) }

func (s *Server) writeConfig(t *template.Template) error {
	f, err := os.Create(s.configFile())
	if err != nil {
		return err
	}
	defer f.Close() // a second time, after an error
	if err := t.Execute(f, configData{
		Options: s.opts,
		C2S:     s.ports.C2S, TLS: s.ports.TLS, HTTP: s.ports.HTTP, ComponentPort: s.ports.Component,
		Dir: s.dir, LogFile: logFile, ComponentSecret: ComponentSecret,
	}); err != nil {
		return err
	}
	return f.Close()
}
