package realssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
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
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	return Key{
		Signer: signer, Private: string(pem.EncodeToMemory(block)),
		Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))),
	}
}
