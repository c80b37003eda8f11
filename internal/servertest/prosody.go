package servertest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

//go:embed prosody.cfg.lua
var prosodyConfig string

var prosodyTemplate = template.Must(template.New("prosody").Parse(prosodyConfig))

var prosody = kind{
	name:       "prosody",
	configName: "prosody.cfg.lua",
	setup:      setupProsody,
	command:    prosodyCommand,
	portTaken:  "Failed to open server port",
}

func prosodyCommand(s *Server) (command, error) {
	path, err := exec.LookPath("prosody")
	if err != nil {
		return command{}, errors.New("prosody is not installed; `make test` installs it")
	}
	return command{path: path, args: []string{"-F", "--config", s.configFile()}}, nil
}

func setupProsody(s *Server) error {
	if err := s.writeConfig(prosodyTemplate); err != nil {
		return err
	}
	// Prosody hashes a password that it finds in plain text when it is first
	// used, so the accounts can be written without its help.
	dir := filepath.Join(s.dir, "data", domain, "accounts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for user, password := range s.opts.Users {
		account := fmt.Sprintf("return { password = %q }\n", password)
		if err := os.WriteFile(filepath.Join(dir, user+".dat"), []byte(account), 0o600); err != nil {
			return err
		}
	}
	return nil
}
