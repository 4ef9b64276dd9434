package guest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

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
	exitTooLate        = 85
	exitTooOld         = 86
	exitNoLock         = 87
	exitNoField        = 88
	exitNoClock        = 89

	exitFailedBefore     = 90
	exitNotAdministrator = 91
	exitDomainController = 92
	exitNoWindowsUser    = 93
	exitNeedsKey         = 94
	exitPasswordRefused  = 95
	exitFailed           = 96
	exitWindowsTooLate   = 97
	exitWindowsTooOld    = 98
	exitNoOrder          = 99

	exitNoDecoder  = 103 // as the next two, of stored scripts only
	exitDamaged    = 104
	exitOtherOrder = 105
	exitNoCompare  = 106
)

// done is the line that a script prints when it has set the password. Exit code 0 alone proves nothing:
// that is also the code of a script that was cut short.
const done = "cloudpw: exit 0 password set"

// verdict is what an exit code means.
type verdict struct {
	kind   cloud.Kind
	advice string
}

// What there is to do about a command that came too late or with too small an order. An agent may have run the same command
// before, in time, so neither proves that the server does not have the password: both are Unknown.
const (
	tooLate = "by the server's clock the command began later than 10 minutes after it was sent, and has changed nothing: the agent was " +
		"late, or the server's clock is ahead of Vault's; check its time synchronization and its agent"
	tooOld = "the server already has a newer password of cloudpw's, by the order number that it keeps, and the command has changed " +
		"nothing: it was late, or Vault's clock was ahead when the newer one was set, or another Vault sets this account's password, too"
)

// verdicts judges the exit codes of each interpreter's scripts. A kind other than Unknown is certain: this run of the
// script left before it changed anything, or, for a refused password, the one call that could have was
// refused.
var verdicts = map[Interpreter]map[int]verdict{Shell: {
	exitNotRoot: {cloud.Refused, "the agent ran the command without the rights of root; let the cloud's agent run as root"},
	exitNoUser:  {cloud.Refused, "the server has no such user; check the role's username, or create the user"},
	exitNoChpasswd: {cloud.Refused,
		"the server has no chpasswd in the agent's PATH; install shadow-utils (package passwd on Debian and Ubuntu)"},
	exitChpasswdFailed: {cloud.Unknown,
		"chpasswd failed on the server; it sets passwords of local accounts only (not LDAP or SSSD) and needs a writable /etc/shadow"},
	exitTooLate: {cloud.Unknown, tooLate},
	exitTooOld:  {cloud.Unknown, tooOld},
	exitNoLock: {cloud.Refused, "the command could not have the server to itself, which keeps an older password from replacing a newer one; " +
		"see that flock (util-linux or BusyBox) is in the agent's PATH, that /run/cloudpw.lock can be written, and that no chpasswd hangs"},
	exitNoField: {cloud.Refused, "the server does not show the password's field of the user, in which the order of passwords is kept; " +
		"passwords of local accounts only can be set (not LDAP or SSSD), and /etc/shadow must be readable for the agent"},
	exitNoClock: {cloud.Refused, "the server does not tell the time, by which it would know a late command; see that date +%s works there"},
	exitNoCompare: {cloud.Refused,
		"the server's shell cannot tell which of two orders is the larger one ([ 1 \\> 0 ]); let dash, bash or BusyBox be its /bin/sh"},
	exitNoDecoder: {cloud.Refused, "the server has no base64, openssl or busybox in the agent's PATH that reads base64, in which the " +
		"values of the command come; install coreutils"},
	exitDamaged: {cloud.Refused, "the cloud did not hand over the command's parameters whole, so nothing was done"},
	exitOtherOrder: {cloud.Refused, "the cloud did not hand over the command's parameters as they were sent: the hash is that of another " +
		"order, so nothing was done"},
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
	exitFailed:         {cloud.Unknown, "Windows reported a failure while the password was set"},
	exitWindowsTooLate: {cloud.Unknown, tooLate},
	exitWindowsTooOld:  {cloud.Unknown, tooOld},
	exitNoOrder: {cloud.Refused, `the server cannot keep the order of passwords, which keeps an older one from replacing a newer one; ` +
		`see that the agent can write the registry key HKLM\SOFTWARE\cloudpw, and that nobody holds the mutex Global\cloudpw`},
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

// exitLine is the line that each script ends with.
var exitLine = regexp.MustCompile(`^cloudpw: exit (0|[1-9][0-9]{0,2}) ([ -~]{1,200})$`)

// maxLines bounds how much of an output is looked at for that line.
const maxLines = 10_000

// exit finds the line that a script has ended with, and what it says. There must be exactly one: whatever else a server
// prints, two of them tell nothing.
func exit(output string) (code int, said string, ok bool) {
	if len(output) > maxOutput {
		return 0, "", false
	}
	lines := 0
	for line := range strings.Lines(output) {
		found := exitLine.FindStringSubmatch(strings.TrimRight(line, " \r\n"))
		if lines++; lines > maxLines || found != nil && ok {
			return 0, "", false
		}
		if found == nil {
			continue
		}
		n, err := strconv.Atoi(found[1])
		if err != nil || n > 255 {
			return 0, "", false
		}
		code, said, ok = n, found[2], true
	}
	return code, said, ok
}

// ExitCode is the code that a script of this package has ended with, by its output alone: for clouds that tell none. It is
// not known (false) unless exactly one line tells it, as where the output was cut or the script has not ended.
func ExitCode(output string) (code int, ok bool) {
	code, _, ok = exit(output)
	return code, ok
}

var (
	orders = regexp.MustCompile(`^too old order=([0-9]{10}) server=([0-9]{10})$`)
	clocks = regexp.MustCompile(`^too late now=([0-9]{10}) notafter=([0-9]{10})$`)
)

// pair reads the two numbers that a script ended with; false unless it did with this very code and form.
func pair(form *regexp.Regexp, exitCode int, output string) (first, second int64, ok bool) {
	code, said, ok := exit(output)
	found := form.FindStringSubmatch(said)
	if !ok || code != exitCode || found == nil {
		return 0, 0, false
	}
	first, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	second, err = strconv.ParseInt(found[2], 10, 64)
	return first, second, err == nil
}

// newerOrder is the order that the server has where it refused a smaller one for it; 0: it did not, or does not tell.
func newerOrder(interpreter Interpreter, exitCode int, output string) int64 {
	if exitCode != tooOldCodes[interpreter] {
		return 0
	}
	if ours, has, ok := pair(orders, exitCode, output); ok && has > ours {
		return has
	}
	return 0
}

var tooOldCodes = map[Interpreter]int{Shell: exitTooOld, PowerShell: exitWindowsTooOld}

// numbers is what a script told of clocks or orders, as the end of a sentence; "" where it told neither.
func numbers(exitCode int, output string) string {
	if now, limit, ok := pair(clocks, exitCode, output); ok && now > limit {
		return fmt.Sprintf(" (the server's clock was %s, %d s past the limit %s; had the agent been prompt, it would be about %d s ahead)",
			moment(now), now-limit, moment(limit), now-limit+int64(cloud.OrderDeadline/time.Second))
	}
	if ours, has, ok := pair(orders, exitCode, output); ok && has > ours {
		return fmt.Sprintf(" (the server's order is %d, the command's %d)", has, ours)
	}
	return ""
}

// moment is a Unix time in words.
func moment(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// failure judges an exit code other than 0.
func failure(interpreter Interpreter, exitCode int, output string) *cloud.Error {
	v, known := verdicts[interpreter][exitCode]
	if !known {
		return cloud.Errorf(cloud.Unknown, "the command ended with exit code %d, which is none of cloudpw's%s", exitCode,
			detail(interpreter, output))
	}
	more := numbers(exitCode, output)
	if more == "" {
		more = detail(interpreter, output)
	}
	e := cloud.Errorf(v.kind, "%s%s", v.advice, more)
	if exitCode == exitNeedsKey { // a code of PowerShell's scripts only
		e.Err = errNeedsKey
	}
	return e
}

var (
	// hresult is the one thing that a message repeats of what Windows printed.
	hresult = regexp.MustCompile(`cloudpw: [^\r\n]{0,300} (0x[0-9A-F]{8})\b`)
	// crypted is a password hash, also as a parameter has it, in base64, and be it cut short: ten characters of a hash behind its
	// salt are enough to try passwords against.
	crypted = regexp.MustCompile(`\$[0-9a-z]{1,4}\$[^\s:']*|JDYk[0-9A-Za-z+/=\\]*|[0-9A-Za-z+/]{60,}={0,2}`)
)

// WithoutHashes is foreign text without the hashes in it, for messages.
func WithoutHashes(said string) string { return crypted.ReplaceAllString(said, "[hash]") }

// detail is what a message may repeat of an output, with its introduction, or "".
func detail(interpreter Interpreter, output string) string {
	if interpreter == PowerShell {
		if found := hresult.FindStringSubmatch(output); found != nil {
			return " (error " + found[1] + ")"
		}
		return ""
	}
	said := text.Line(WithoutHashes(output), maxDetail)
	if said == "" {
		return ""
	}
	return "; the server says: " + said
}

// TooOld reports whether a command says that the server refused its value since it has one with a larger order.
func (r Run) TooOld() bool {
	return r.State == Exited && newerOrder(r.Interpreter, r.ExitCode, r.Output) > 0
}
