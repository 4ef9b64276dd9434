package rotation

import (
	"cmp"
	"strings"
	"unicode"
)

// Messages end with the command to type next. They name the mount as the documentation does: this package does not know
// its path, and package backend puts that in.
const mount = "cloudpw/"

// unknownRole stands for the role of an account that is bound to none.
const unknownRole = "ROLE"

// statusCommand shows what fails, and where.
const statusCommand = "vault read " + mount + "status"

// inspectCommand shows the account's state.
func (id ID) inspectCommand() string { return "vault read " + mount + "accounts/" + id.shellPath() }

// versionsCommand lists the account's versions.
func (id ID) versionsCommand() string {
	return "vault list -detailed " + mount + "versions/" + id.shellPath()
}

// importCommand records a password that was set by hand.
func (id ID) importCommand() string {
	return "vault write " + mount + "import/" + id.shellPath() + " password=@password.txt"
}

// readCommand reads the account's password.
func (a *Account) readCommand() string {
	return "vault read " + mount + "creds/" + cmp.Or(a.Role, unknownRole) + "/" + a.InstanceID
}

// revokeCommand ends the leases of the account's role.
func (a *Account) revokeCommand() string {
	return "vault lease revoke -prefix " + mount + "creds/" + cmp.Or(a.Role, unknownRole)
}

// rotateCommand rotates the account, or with a shared password its role.
func (a *Account) rotateCommand() string {
	command := "vault write -force " + mount + "rotate-role/" + cmp.Or(a.Role, unknownRole)
	if a.Settings.SharedPassword {
		return command
	}
	return command + "/" + a.InstanceID
}

// placeCommand shows the places to which the account's connection has led.
func (a *Account) placeCommand() string { return "vault read " + mount + "place/" + a.Connection }

// shellPath is the account's name as a shell takes it: a user name may have blanks and quotes.
func (id ID) shellPath() string {
	user := id.Username
	if strings.ContainsFunc(user, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !strings.ContainsRune("_.-@+%", c)
	}) {
		user = "'" + strings.ReplaceAll(user, "'", `'\''`) + "'"
	}
	return ID{id.Connection, id.InstanceID, ""}.String() + user
}
