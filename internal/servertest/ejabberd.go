package servertest

import (
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed ejabberd.yml
var ejabberdConfig string

var ejabberdTemplate = template.Must(template.New("ejabberd").Parse(ejabberdConfig))

var ejabberd = kind{
	name:       "ejabberd",
	configName: "ejabberd.yml",
	setup:      func(s *Server) error { return s.writeConfig(ejabberdTemplate) },
	command:    ejabberdCommand,
	portTaken:  "eaddrinuse",
}

// ejabberdCommand runs ejabberd in an Erlang machine, as ejabberdctl does, which
// itself insists on the user, the folders and the node name of the package.
// Without a node name there is no Erlang distribution, and hence no epmd, which
// would outlive the test.
func ejabberdCommand(s *Server) (command, error) {
	errMissing := errors.New("ejabberd is not installed; `make test` installs it")
	erl, err := exec.LookPath("erl")
	if err != nil {
		return command{}, errMissing
	}
	apps, _ := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.app") // the pattern is well-formed
	if len(apps) == 0 {
		return command{}, errMissing
	}
	libs := filepath.Dir(filepath.Dir(filepath.Dir(apps[0])))
	return command{
		path: erl,
		args: []string{
			"+S", "4", "+sbwt", "none", // do not spin while idle: other tests need the processors
			"-noinput",
			"-mnesia", "dir", fmt.Sprintf("%q", filepath.Join(s.dir, "data")),
			"-ejabberd", "quiet", "true", // logs to the file only
			"-s", "ejabberd",
			"-eval", registerAccounts(s.opts.Users),
		},
		env: []string{
			"ERL_LIBS=" + libs,
			"ERL_CRASH_DUMP_BYTES=0",
			"EJABBERD_CONFIG_PATH=" + s.configFile(),
			"EJABBERD_LOG_PATH=" + filepath.Join(s.dir, logFile),
			"CONTRIB_MODULES_PATH=" + filepath.Join(s.dir, "modules"),
			"CONTRIB_MODULES_CONF_DIR=" + filepath.Join(s.dir, "modules.d"),
		},
	}, nil
}

// registerAccounts returns an Erlang expression that adds those accounts that
// do not exist. It is evaluated once ejabberd has started.
func registerAccounts(users map[string]string) string {
	var accounts []string
	for user, password := range users {
		accounts = append(accounts, fmt.Sprintf("{%s, %s}", erlangBinary(user), erlangBinary(password)))
	}
	return fmt.Sprintf("[ejabberd_auth:try_register(User, %s, Password) || {User, Password} <- [%s]].",
		erlangBinary(domain), strings.Join(accounts, ", "))
}

// erlangBinary returns s as a list of bytes, which needs no quoting.
func erlangBinary(s string) string {
	bytes := make([]string, len(s))
	for i := range len(s) {
		bytes[i] = fmt.Sprint(s[i])
	}
	return "<<" + strings.Join(bytes, ",") + ">>"
}
