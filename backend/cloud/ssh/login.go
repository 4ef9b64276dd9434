package ssh

import (
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// LoginJump implements sshlogin.Jumper: logins that try a password take the same way to a host as sessions do.
func (p *provider) LoginJump() (*sshclient.Jump, []ssh.Signer) {
	return p.jump, slices.Clone([]ssh.Signer(p.keys))
}
