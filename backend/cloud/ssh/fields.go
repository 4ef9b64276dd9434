package ssh

import (
	"fmt"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// Name is the value of a connection's provider field.
const Name = "ssh"

// How the login user becomes root, the values of the field sudo.
const (
	// sudoAuto: by sudo -n, unless the user is root.
	sudoAuto = "auto"
	// sudoNever: not at all.
	sudoNever = "never"
	// sudoTTY: by sudo -n on a terminal, where sudoers has requiretty.
	sudoTTY = "tty"
)

// Bounds of max_sessions.
const (
	defaultSessions = 16
	maxSessions     = 64
)

// maxKeyLength bounds private_key, in bytes: one of RSA with 16,384 bits has some 12,600.
const maxKeyLength = 16 << 10

// The provider's own fields of a connection.
var (
	// fieldLoginUser is part of the place: who logs in is given what is set, and on Windows shows the key that it is encrypted for. So
	// what was made for one login user is not sent to another one, who may be anybody that a host lets in.
	fieldLoginUser = cloud.Field{
		Name: "login_user", Kind: cloud.FieldIdentity, Required: cloud.RequiredAlways, Check: checkLoginUser,
		AccountOf:   func(user string) string { return user },
		Description: "User that logs in to the hosts, and becomes root there by sudo without a password unless it is root.",
	}
	fieldPrivateKey = cloud.Field{
		Name: "private_key", Kind: cloud.FieldSecret, File: true, MaxLength: maxKeyLength, Check: checkPrivateKey,
		Required: "unless generate_key is given",
		Description: "Private key that logs in, without a passphrase, as ssh-keygen writes it (OpenSSH or PEM): ed25519, ECDSA, or RSA with at " +
			"least 2,048 bits.",
	}
	fieldGenerateKey = cloud.Field{
		Name: "generate_key", Kind: cloud.FieldSetting, Type: cloud.FieldFlag, WriteOnly: true, Default: "false",
		Description: "Make an ed25519 key for private_key in this write, which leaves Vault never. Its public half is public_key of a read. " +
			"Refused while there is a private_key: rotate-root/ replaces that.",
	}
	fieldSudo = cloud.Field{
		Name: "sudo", Kind: cloud.FieldSetting, Default: sudoAuto, Allowed: []string{sudoAuto, sudoNever, sudoTTY},
		Fallback: func(cloud.Values) string { return sudoAuto },
		Description: "How login_user becomes root: auto is sudo -n unless the user is root, never is not at all, tty is sudo -n on a terminal, " +
			"for a sudoers with requiretty.",
	}
	fieldProxyJump = cloud.Field{
		Name: "proxy_jump", Kind: cloud.FieldPlace, Default: "none", Check: checkProxyJump,
		Description: "Jump host through which all hosts are reached, as [user@]host[:port]. It is logged in to with private_key, by default as " +
			"login_user at port 22.",
	}
	// fieldProxyJumpHostKey is no part of the place: a jump host that gets a new key is none, and what passes through it is encrypted for
	// the pinned keys of the hosts behind it.
	fieldProxyJumpHostKey = cloud.Field{
		Name: "proxy_jump_host_key", Kind: cloud.FieldSetting, Required: "with proxy_jump", MaxLength: 8 << 10,
		Check:       checkHostKey,
		Description: "Public host key of the jump host, one line of ssh-keyscan.",
	}
	fieldMaxSessions = cloud.Field{
		Name: "max_sessions", Kind: cloud.FieldSetting, Default: strconv.Itoa(defaultSessions), Check: checkSessions,
		Fallback:    func(cloud.Values) string { return strconv.Itoa(defaultSessions) },
		Description: fmt.Sprintf("Hosts that are connected to at a time, 1 to %d. One host has one session at a time.", maxSessions),
	}
)

// fieldPreviousKey is the private key that rotate-root replaces, from the moment in which the new one is in use until all hosts let the
// new one in, and it no more.
var fieldPreviousKey = cloud.Field{
	Name: "previous_private_key", Kind: cloud.FieldSecret, Internal: true, MaxLength: maxKeyLength, Default: "none", Check: checkPrivateKey,
	Description: "The private key before, while some hosts may let in no other.",
}

// fields are the provider's own fields of a connection.
func fields() []cloud.Field {
	return []cloud.Field{fieldLoginUser, fieldPrivateKey, fieldGenerateKey, fieldSudo, fieldProxyJump, fieldProxyJumpHostKey, fieldMaxSessions,
		fieldPreviousKey}
}

// checkLoginUser refuses what is no user's name. It never becomes part of a command, but of messages and of sshd's log.
func checkLoginUser(user string) error {
	if err := cloud.CheckUsername(cloud.Linux, user); err != nil || user == cloud.BuiltinAdministrator {
		return fmt.Errorf("%.40q is no name of a local user", user)
	}
	return nil
}

func checkPrivateKey(key string) error {
	_, err := parseKey(key)
	return err
}

func checkHostKey(key string) error {
	_, err := sshclient.ParseHostKey(key)
	return err
}

func checkProxyJump(value string) error {
	_, err := parseJump(value)
	return err
}

func checkSessions(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxSessions {
		return fmt.Errorf("must be a number from 1 to %d", maxSessions)
	}
	return nil
}

// sessionsOf is max_sessions as in force.
func sessionsOf(v cloud.Values) int {
	n, err := strconv.Atoi(v.InForce(fieldMaxSessions))
	if err != nil || n < 1 || n > maxSessions {
		return defaultSessions
	}
	return n
}
