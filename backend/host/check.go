package host

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// maxLoginUser is more than any system's user names have.
	maxLoginUser = 64
	maxPort      = 65535
)

// Values of sudo, as those of a connection's field of that name.
const (
	SudoAuto  = "auto"
	SudoNever = "never"
	SudoTTY   = "tty"
)

// checkAddress refuses what [sshclient.CheckAddress] does.
func checkAddress(address string) error {
	err := sshclient.CheckAddress(address)
	switch {
	case errors.Is(err, sshclient.ErrNoAddress):
		return request.Invalidf("address: %s; give it alone, such as 192.0.2.7, 2001:db8::7 or web-1.example.com: port and login_user are "+
			"fields of their own", err)
	case err != nil:
		return request.Invalidf("address: %s", err)
	}
	return nil
}

// checkLoginUser refuses what no system has as the name of a user, and what sudoers would take for more than one: messages show the line
// that an operator is to add there.
func checkLoginUser(name string) error {
	switch {
	case text.Check(name) != nil:
		return request.Invalidf("login_user: must be printable text: %s", text.Check(name))
	case utf8.RuneCountInString(name) > maxLoginUser:
		return request.Invalidf("login_user: longer than %d characters", maxLoginUser)
	case strings.HasPrefix(name, "-") || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsAny(name, `:/@"'%#!,=`):
		return request.Invalidf("login_user: %q is no name of a user; no blank, and none of : / @ \" ' %% # ! , = can be in it, and no - at its "+
			"begin", name)
	}
	return nil
}
