package ssh

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// minRSA is the least size of an RSA key, in bits.
const minRSA = 2048

// keyComment is the comment of the line for authorized_keys, by which administrators know it.
const keyComment = "cloudpw"

// parseKey reads a private key. Its errors show nothing of it.
func parseKey(text string) (ssh.Signer, error) {
	raw, err := ssh.ParseRawPrivateKey([]byte(text))
	var passphrase *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &passphrase):
		return nil, errors.New("has a passphrase; give a key without one, such as of: ssh-keygen -t ed25519 -N ''")
	case err != nil && strings.HasPrefix(strings.TrimSpace(text), "ssh-"):
		return nil, errors.New("is a public key; give the private one, the file without .pub")
	case err != nil:
		return nil, errors.New("is no private key; give the whole file that ssh-keygen wrote, with its first and last line")
	}
	switch key := raw.(type) {
	case *ed25519.PrivateKey, ed25519.PrivateKey, *ecdsa.PrivateKey:
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return nil, fmt.Errorf("is an RSA key of %d bits; at least %d are needed", bits, minRSA)
		}
	default:
		return nil, errors.New("is a key of a type that is not used; give an ed25519, ECDSA or RSA key")
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil, errors.New("is a key that cannot sign; give an ed25519, ECDSA or RSA key")
	}
	return signer, nil
}

// newKey makes an ed25519 key, in the form of private_key.
func newKey() (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", errors.New("no key could be made")
	}
	block, err := ssh.MarshalPrivateKey(private, keyComment)
	if err != nil {
		return "", errors.New("no key could be made")
	}
	return string(pem.EncodeToMemory(block)), nil
}

// publicKey is the line for authorized_keys that lets a private key in; "" for none.
func publicKey(v cloud.Values) string {
	signer, err := parseKey(v.Text(fieldPrivateKey))
	if err != nil {
		return ""
	}
	return authorizedLine(signer.PublicKey())
}

// authorizedLine is a public key as authorized_keys has it, without a line break.
func authorizedLine(key ssh.PublicKey) string {
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " " + keyComment
}
