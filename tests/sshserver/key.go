package sshserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// NewKey makes an ed25519 key pair.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, signer := NewPair(t)
	return signer
}

// NewPair is NewKey with the private key as ssh-keygen writes it, too.
func NewPair(t testing.TB) (private string, signer ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer
}

// Line is a public key as authorized_keys has it, without a comment and without a line break.
func Line(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// Has reports whether a key is among others.
func Has(keys []ssh.PublicKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), key.Marshal()) })
}
