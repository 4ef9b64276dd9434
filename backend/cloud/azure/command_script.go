package azure

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// How a command's text and its protected parameters come to a Linux server was read in the public source of Azure's handler
// (github.com/Azure/run-command-handler-linux at f95dc24, version 1.3.28):
//
//   - internal/exec/exec.go, SetEnvironmentVariables: each named parameter, the public ones first and then the protected ones, is
//     set by os.Setenv in the handler's own process, and the script inherits it. No shell and no quoting is between, so a "$" or a
//     quote in the value is as it was sent. An error of Setenv is lost, and an empty value sets nothing. (A parameter without a name
//     would be put into a command line, and expanded.)
//   - internal/files/files.go, SaveScriptFile, and internal/cmds/cmds.go, runCmd: the text is written to script.sh, mode 0500, in a
//     directory of mode 0700 of the command's own. internal/exec/exec.go, Exec, runs /bin/bash -c with the path of that file, as
//     root: bash starts it as a program, so the kernel takes the interpreter of its first line.
//   - misc/run-command-shim starts one handler process for each command. But the same program can be installed as a service
//     (internal/immediateruncommand), which carries out up to five commands at the same time in one process. There, what Setenv has
//     set for one command is what another may find, then or later. Whether the cloud uses the service for anybody's commands is not
//     documented.
//
// For the last of these the script compares not only the length and the form of what it was given, but the salt of the hash too:
// that is no secret, and no two hashes of ours share one. A value that is another command's, or damaged, ends the script before
// anything else is done, with exitNoValue.
const (
	// sealedVariable is the name of the protected parameter.
	sealedVariable = "CLOUDPW_SEALED"
	// exitNoValue is the code of a script that was not given its own value. No script of package guest ends with it.
	exitNoValue = 79
)

// sealedForm is a hash as package guest makes it. Its first part is what the script knows of it.
var sealedForm = regexp.MustCompile(`^(\$6\$rounds=[0-9]{4,9}\$[./0-9A-Za-z]{16}\$)[./0-9A-Za-z]{86}$`)

// parameter is one of a run command.
type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// shielded is a script as it is sent, with its secret parameters. Everybody who may read run commands can read a script's text,
// and nobody can read protected parameters: so the hash of a password travels as one. A script of PowerShell stays as it is. The
// cloud would hand it the value as an argument of a process, and the text holds only a ciphertext for the server's own key.
func shielded(script guest.Script) (text string, secret []parameter, err error) {
	if script.Interpreter != guest.Shell || script.Sealed == "" {
		return script.Text, nil, nil
	}
	form := sealedForm.FindStringSubmatch(script.Sealed)
	line := "\nhash='" + script.Sealed + "'\n"
	if form == nil || strings.Count(script.Text, script.Sealed) != 1 || !strings.Contains(script.Text, line) {
		return "", nil, cloud.Errorf(cloud.Refused, "%s: the script does not have the hash where it is looked for; report it as a bug",
			runCommandsUpdate)
	}
	return strings.Replace(script.Text, line, fmt.Sprintf(guard, sealedVariable, len(script.Sealed), form[1], exitNoValue), 1),
		[]parameter{{sealedVariable, script.Sealed}}, nil
}

// guard takes the place of the line with the hash.
const guard = `
hash=${%[1]s-}
case ${#hash}/$hash in '%[2]d/%[3]s'*) ;; *) printf 'cloudpw: exit %[4]d the value did not arrive\n'; exit %[4]d ;; esac
`
