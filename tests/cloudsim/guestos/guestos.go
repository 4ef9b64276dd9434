package guestos

import (
	"crypto/rsa"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// System is a simulated operating system.
type System struct {
	Windows bool
	// Accounts are the names of the local accounts.
	Accounts []string
	// Administrator is the one of them whose SID ends in -500 (Windows); "" for none.
	Administrator string
	// Passwords (Linux) are those of accounts in clear, and Hashes those of accounts of which only a hash in the form of
	// crypt(3) is known. An account in neither has no password.
	Passwords, Hashes map[string]string
	// Conditions under which the scripts refuse or fail.
	Conditions
	// Key is the key pair in the Windows machine key store; nil for none.
	Key *rsa.PrivateKey
	// Orders (Windows) are what the registry notes of accounts: the order of the value that each took last.
	Orders map[string]string
	// Now is the operation clock, by which lockouts end, Wall the right time of day, and Tries the wrong passwords by account
	// (Windows).
	Now, Wall time.Time
	Tries     map[string]WrongTries
	// Environment are the variables that the agent gives a script (Linux). Only those of cloudpw's arrive, CLOUDPW_ and capital letters
	// or cloudpw_ and small ones: others could change what the script is.
	Environment map[string]string
}

// date is the time of day by the system's own clock.
func (s System) date() time.Time { return s.Wall.Add(s.Clock) }

// WrongTries are the wrong passwords that a Windows account has counted.
type WrongTries struct {
	Count int `json:"count"`
	// Last is when the last one was tried, and LockedOut when one of them locked the account; zero: none has.
	Last      time.Time `json:"last,omitzero"`
	LockedOut time.Time `json:"locked_out,omitzero"`
}

// Conditions make a system refuse or fail. The zero value is a system in good order.
type Conditions struct {
	// NotRoot: the agent runs commands without the rights of root or an administrator.
	NotRoot bool `json:"not_root,omitempty"`
	// NoChpasswd (Linux): chpasswd is not installed.
	NoChpasswd bool `json:"no_chpasswd,omitempty"`
	// ChpasswdFails (Linux): chpasswd cannot write.
	ChpasswdFails bool `json:"chpasswd_fails,omitempty"`
	// NoBase64 (Linux): there is no tool that reads base64.
	NoBase64 bool `json:"no_base64,omitempty"`
	// NoDigest (Linux): there is no tool that makes a SHA-256.
	NoDigest bool `json:"no_digest,omitempty"`
	// Locked are the accounts whose password is locked (Linux), which setting one ends, or which are locked out (Windows).
	Locked []string `json:"locked,omitempty"`
	// Expired are the accounts that have expired.
	Expired []string `json:"expired,omitempty"`
	// Disabled (Windows): the accounts that are switched off.
	Disabled []string `json:"disabled,omitempty"`
	// PasswordExpired (Windows): the accounts whose password must be changed at the next login.
	PasswordExpired []string `json:"password_expired,omitempty"`
	// LockoutThreshold (Windows) is how many wrong passwords within 10 minutes lock an account for 10 minutes; 0: no number does.
	LockoutThreshold int `json:"lockout_threshold,omitempty"`
	// NetworkLoginRefused (Windows): the accounts that may not log in over the network.
	NetworkLoginRefused []string `json:"network_login_refused,omitempty"`
	// GuestOnly (Windows): a login over the network is let in as Guest, whatever the password.
	GuestOnly bool `json:"guest_only,omitempty"`
	// Clock is by how much the server's clock is ahead; negative: behind.
	Clock time.Duration `json:"clock,omitempty"`
	// NoClock (Linux): date does not tell the time.
	NoClock bool `json:"no_clock,omitempty"`
	// NoFlock (Linux): flock is not installed.
	NoFlock bool `json:"no_flock,omitempty"`
	// LockTaken: another process has the lock under which passwords are set, and keeps it.
	LockTaken bool `json:"lock_taken,omitempty"`
	// NoRegistry (Windows): the registry key for the order of passwords cannot be written.
	NoRegistry bool `json:"no_registry,omitempty"`
	// NoPasswordLogin (Linux): sshd takes no passwords.
	NoPasswordLogin bool `json:"no_password_login,omitempty"`
	// Directory (Linux): users of a directory (LDAP, SSSD), whom id knows and the shadow file does not.
	Directory []string `json:"directory,omitempty"`
	// DomainController (Windows): there are no local accounts.
	DomainController bool `json:"domain_controller,omitempty"`
	// RefusesPasswords (Windows): the password policy refuses every password.
	RefusesPasswords bool `json:"refuses_passwords,omitempty"`
}

// Result is what came of a command.
type Result struct {
	ExitCode int
	// Output is standard output and standard error, in the order in which they were written. The scripts
	// of cloudpw write to standard output alone.
	Output string
	// User has a new password, if it is not empty: Password in clear or Hash in the form of crypt(3).
	User, Password, Hash string
	// Key is the system's key pair afterwards.
	Key *rsa.PrivateKey
	// Noted is the account, if any, of which the registry now notes Order (Windows).
	Noted, Order string
	// Tried is the account, if any, whose wrong passwords are Tries afterwards.
	Tried string
	Tries WrongTries
}

// Run runs a command. interpreter is "shell" or "powershell". An error means that this machine cannot play
// the system (it has no sh, say), not that the command failed.
func (s System) Run(interpreter, text string) (Result, error) {
	script, values := recognize(text)
	switch {
	case interpreter == string(guest.PowerShell) && !s.Windows, interpreter == string(guest.Shell) && s.Windows:
		return Result{ExitCode: 127, Output: interpreter + ": not found\n", Key: s.Key}, nil
	case script == linuxSet && !s.Windows:
		return s.runSet(text)
	case script == linuxLook && !s.Windows:
		return s.runLook(text)
	case script == windowsPrepare && s.Windows:
		return s.prepare()
	case script == windowsSet && s.Windows:
		return s.set(values[0], values[1], values[2], values[3]), nil
	case script == windowsTry && s.Windows:
		return s.try(values[0], values[1], values[2]), nil
	case script == unknown:
		if r, ok := playPlain(text); ok && !s.Windows {
			r.Key = s.Key
			return r, nil
		}
		fallthrough
	default:
		return Result{ExitCode: 126, Output: "the simulated server runs no scripts but those of cloudpw\n", Key: s.Key}, nil
	}
}

// kind is a script of cloudpw's.
type kind int

const (
	unknown kind = iota
	linuxSet
	linuxLook
	windowsPrepare
	windowsSet
	windowsTry
)

// quoted finds the values of a script: assignments of one quoted word, with nothing in it that a shell or
// PowerShell would care for.
var quoted = regexp.MustCompile(`(?m)^(\$?(?:user|name|nonce|hash|sealed|until|order|notafter) ?= ?)'([\pL\pM\pN_.$/=+ -]*)'$`)

// recognize says which script a text is, and gives its values in their order.
func recognize(text string) (kind, []string) {
	text = strings.TrimSuffix(text, "\n")
	var values []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		values = append(values, m[2])
	}
	return forms()[blank(text)], values
}

// handedOver are the lines of a script that takes the hash from its environment, and looks whether it is whole.
var handedOver = regexp.MustCompile(`(?m)^hash=\$\{CLOUDPW_SEALED-\}\n` +
	`case \$\{#hash\}/\$hash in '[0-9]{1,3}/\$6\$rounds=[0-9]{1,9}\$(?:[./0-9A-Za-z]{16}\$)?'\*\) ;; ` +
	`\*\) printf 'cloudpw: exit 79 the value did not arrive\\n'(?:;| &&) exit 79 ;; esac$`)

// nameComment is the last line of a script that bears a name.
var nameComment = regexp.MustCompile(`\n# cloudpw: [0-9A-Za-z-]{1,64}$`)

// stored finds the values of a stored script: the names of its parameters, or what a cloud has put in their places.
var stored = regexp.MustCompile(`(?m)^(user|nonce|hash|order|notafter)="(?:[0-9A-Za-z+/=]*|\$\{cloudpw_[a-z]+\})"$`)

func blank(text string) string {
	text = stored.ReplaceAllString(text, `$1=""`)
	text = nameComment.ReplaceAllString(strings.TrimSuffix(text, "\n"), "")
	return quoted.ReplaceAllString(handedOver.ReplaceAllString(text, "hash=''"), "${1}''")
}
