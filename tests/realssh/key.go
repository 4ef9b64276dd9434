package realssh

import (
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// Key is a key pair of a client.
type Key struct {
	// Signer logs in with it.
	Signer ssh.Signer
	// Private is the private key in OpenSSH's form.
	Private string
	// Public is its line of authorized_keys.
	Public string
}

// NewKey makes a key pair.
func NewKey(tb testing.TB) Key {
	tb.Helper()
	private, signer := sshserver.NewPair(tb)
	return Key{Signer: signer, Private: private, Public: sshserver.Line(signer.PublicKey())}
}
