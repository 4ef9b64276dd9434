package protocol

import (
	"cmp"
	"strings"
	"unicode"
)

// Messages end with the command to type next. They name the mount as the documentation does: this package does not know
// its path, and package backend puts that in.
const Mount = "cloudpw/"

// unknownRole stands for the role of an account that is bound to none.
const unknownRole = "ROLE"

// statusCommand shows what fails, and where.
const statusCommand = "vault read " + Mount + "status"

// inspectCommand shows the account's state.
func (id ID) inspectCommand() string { return "vault read " + Mount + "accounts/" + id.shellPath() }

// VersionsCommand lists the account's versions.
func (id ID) VersionsCommand() string {
	return "vault list -detailed " + Mount + "versions/" + id.shellPath()
}

// ImportCommand records a password that was set by hand.
func (id ID) ImportCommand() string {
	return "vault write " + Mount + "import/" + id.shellPath() + " password=@password.txt"
}

// ReadCommand reads the account's password.
func (a *Account) ReadCommand() string {
	return "vault read " + Mount + "creds/" + cmp.Or(a.Role, unknownRole) + "/" + a.InstanceID
}

// revokeCommand ends the leases of the account's role.
func (a *Account) revokeCommand() string {
	return "vault lease revoke -prefix " + Mount + "creds/" + cmp.Or(a.Role, unknownRole)
}

// rotateCommand rotates the account, or with a shared password its role.
func (a *Account) rotateCommand() string {
	command := "vault write -force " + Mount + "rotate-role/" + cmp.Or(a.Role, unknownRole)
	if a.Settings.SharedPassword {
		return command
	}
	return command + "/" + a.InstanceID
}

// placeCommand shows the places to which the account's connection has led.
func (a *Account) placeCommand() string { return "vault read " + Mount + "place/" + a.Connection }

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
