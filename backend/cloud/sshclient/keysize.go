package sshclient

import (
	"crypto/rsa"

	"golang.org/x/crypto/ssh"
)

// rsaBits is the size of an RSA key; 0 of any other.
func rsaBits(key ssh.PublicKey) int {
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	if public, ok := holder.CryptoPublicKey().(*rsa.PublicKey); ok {
		return public.N.BitLen()
	}
	return 0
}
