package guest

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// Interpreter is what runs a script.
type Interpreter string

// The interpreters: a POSIX shell (dash, bash, BusyBox) and Windows PowerShell 5.1.
const (
	Shell      Interpreter = "shell"
	PowerShell Interpreter = "powershell"
)

// Script is a command for a server's agent. It holds no clear password, but what it holds is not for
// everybody's eyes either: it does not belong into logs.
type Script struct {
	Interpreter Interpreter
	// Text has lines that end in "\n", the last one included. It never holds "{{", which Systems Manager
	// and TAT read as the start of a parameter's name.
	Text string
	// Sealed is what of the text stands for the password, its hash or its ciphertext, "" for none. A cloud that
	// repeats a command in an error must not bring it into a message.
	Sealed string
	// Stored is the same script for clouds that keep scripts; nil for PowerShell's.
	Stored *Stored
}

// Lines returns the script as a list of lines, as Systems Manager's documents take it.
func (s Script) Lines() []string { return strings.Split(strings.TrimSuffix(s.Text, "\n"), "\n") }

// String keeps a script out of logs that print values.
func (s Script) String() string { return "script for " + string(s.Interpreter) }

// GoString does the same for %#v.
func (s Script) GoString() string { return s.String() }

// CheckUsername says why no script can set the password of a user with that name; nil if one can. The
// error is of kind Refused.
func CheckUsername(platform cloud.Platform, username string) error {
	return cloud.CheckUsername(platform, username)
}

// checkInput refuses what no script may be made of. An error is of kind Refused or PasswordRefused and
// names no character of the password.
func checkInput(platform cloud.Platform, username, secret string) error {
	if err := CheckUsername(platform, username); err != nil {
		return err
	}
	if err := (password.Rules{}).Check(secret, ""); err != nil {
		return cloud.Errorf(cloud.PasswordRefused, "no command can set this password: %v", err)
	}
	return nil
}

// fill replaces the placeholders of a script, which stand between single quotes there.
func fill(text string, values ...string) string {
	return strings.NewReplacer(values...).Replace(text)
}
