package guest

import (
	"errors"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Exit codes of the scripts. They keep clear of the shells' own (1, 2, 126 and up) and of those that
// agents treat in their own way: Systems Manager's 168, 194 and 3010.
const (
	exitNotRoot        = 81
	exitNoUser         = 82
	exitNoChpasswd     = 83
	exitChpasswdFailed = 84

	exitFailedBefore     = 90
	exitNotAdministrator = 91
	exitDomainController = 92
	exitNoWindowsUser    = 93
	exitNeedsKey         = 94
	exitPasswordRefused  = 95
	exitFailed           = 96
)

// done is the line that a script prints when it has set the password. Exit code 0 alone proves nothing:
// that is also the code of a script that was cut short.
const done = "cloudpw: password set"

// verdict is what an exit code means.
type verdict struct {
	kind   cloud.Kind
	advice string
}

// verdicts judges the exit codes of each interpreter's scripts. A kind other than Unknown is certain: the
// script left before it changed anything, or, for a refused password, the one call that could have was
// refused.
var verdicts = map[Interpreter]map[int]verdict{Shell: {
	exitNotRoot: {cloud.Refused, "the agent ran the command without the rights of root; let the cloud's agent run as root"},
	exitNoUser:  {cloud.Refused, "the server has no such user; check the role's username, or create the user"},
	exitNoChpasswd: {cloud.Refused,
		"the server has no chpasswd in the agent's PATH; install shadow-utils (package passwd on Debian and Ubuntu)"},
	exitChpasswdFailed: {cloud.Unknown,
		"chpasswd failed on the server; it sets passwords of local accounts only (not LDAP or SSSD) and needs a writable /etc/shadow"},
}, PowerShell: {
	exitFailedBefore: {cloud.Refused, "the command failed on the server before it could do anything; run it there by hand to see why"},
	exitNotAdministrator: {cloud.Refused,
		"the agent ran the command without the rights of an administrator; let the cloud's agent run as SYSTEM"},
	exitDomainController: {cloud.Refused,
		"the server is a domain controller, which has no local accounts; passwords of a domain are not for cloudpw"},
	exitNoWindowsUser: {cloud.Refused, "the server has no such local user; check the role's username, or create the user"},
	exitNeedsKey: {cloud.Refused,
		"the server does not have the key pair that the password was encrypted for; the next attempt makes a new one"},
	exitPasswordRefused: {cloud.PasswordRefused,
		"Windows refused the password; compare password_policy with the server's own password policy (length, complexity)"},
	exitFailed: {cloud.Unknown, "Windows reported a failure while the password was set"},
}}

// errNeedsKey marks the errors that NeedsKey finds.
var errNeedsKey = errors.New("the server's key is missing or another one")

// NeedsKey reports whether an error of [Outcome] says that the server has to be prepared (again) before a
// password can be set.
func NeedsKey(err error) bool { return errors.Is(err, errNeedsKey) }

// maxDetail bounds what a message repeats of a server's output, in characters.
const maxDetail = 200

// Outcome judges a command that was to set a password and has ended by itself, so that its exit code is
// known: nil if the password was set, else a *cloud.Error. Kinds Refused and PasswordRefused mean that this
// command has certainly changed nothing; Unknown means a reported failure, which proves nothing about the
// password. output is standard output, with or without standard error in it. What a cloud says of commands
// that were not run, or that it ended itself, is for the provider to judge.
func Outcome(interpreter Interpreter, exitCode int, output string) error {
	output = output[:min(len(output), maxOutput)]
	if exitCode != 0 {
		return failure(interpreter, exitCode, output)
	}
	for line := range strings.Lines(output) {
		if strings.TrimSpace(line) == done {
			return nil
		}
	}
	return cloud.Errorf(cloud.Unknown, "the command exited without confirming that it set the password%s", detail(interpreter, output))
}

// Prepared judges the command of [WindowsPrepare] in the same way and returns the key that it printed. No
// failure of it changes an account, so errors are of kind Refused.
func Prepared(exitCode int, output string) (PublicKey, error) {
	if exitCode != 0 {
		err := failure(PowerShell, exitCode, output[:min(len(output), maxOutput)])
		err.Kind = cloud.Refused
		return PublicKey{}, err
	}
	key, err := ParsePublicKey(output)
	if err != nil {
		return PublicKey{}, &cloud.Error{Kind: cloud.Refused, Message: err.Error(), Err: err}
	}
	return key, nil
}

// failure judges an exit code other than 0.
func failure(interpreter Interpreter, exitCode int, output string) *cloud.Error {
	v, known := verdicts[interpreter][exitCode]
	if !known {
		return cloud.Errorf(cloud.Unknown, "the command ended with exit code %d, which is none of cloudpw's%s", exitCode,
			detail(interpreter, output))
	}
	e := cloud.Errorf(v.kind, "%s%s", v.advice, detail(interpreter, output))
	if exitCode == exitNeedsKey { // a code of PowerShell's scripts only
		e.Err = errNeedsKey
	}
	return e
}

var (
	// hresult is the one thing that a message repeats of what Windows printed.
	hresult = regexp.MustCompile(`cloudpw: [^\r\n]{0,300} (0x[0-9A-F]{8})\b`)
	// crypted is a password hash, which helps nobody in a message.
	crypted = regexp.MustCompile(`\$[0-9a-z]{1,4}\$[^\s:']*`)
)

// detail is what a message may repeat of an output, with its introduction, or "".
func detail(interpreter Interpreter, output string) string {
	if interpreter == PowerShell {
		if found := hresult.FindStringSubmatch(output); found != nil {
			return " (error " + found[1] + ")"
		}
		return ""
	}
	said := text.Line(crypted.ReplaceAllString(output, "[hash]"), maxDetail)
	if said == "" {
		return ""
	}
	return "; the server says: " + said
}
