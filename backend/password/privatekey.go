package password

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

const (
	// MinKeyBits and MaxKeyBits bound the size of a private key that is imported.
	// Clouds still accept old keys of 1024 bits.
	MinKeyBits = 1024
	MaxKeyBits = 8192

	// DefaultKeyBits is the size of a generated key, in bits: what clouds
	// themselves generate, and what every one of them can import.
	DefaultKeyBits = 2048

	// MaxGeneratedKeyBits bounds the size of a generated key, in bits: beyond it
	// the time to generate one becomes too long for a request.
	MaxGeneratedKeyBits = 4096

	// secureKeyBits is the size in bits below which a key earns a warning.
	secureKeyBits = 2048

	// novaCiphertextChars is how much base64 text Nova keeps of an initial
	// password: four metadata values of 255 characters each
	// (nova/api/metadata/password.py).
	novaCiphertextChars = 1020
)

// PrivateKey is an RSA private key that decrypts initial passwords. It is
// immutable and safe for concurrent use. Printing it shows its size only.
type PrivateKey struct {
	rsa *rsa.PrivateKey

	// authorized is the public half in the form of an authorized_keys line, pkcs8
	// and pkix the DER encodings of both halves. They are made once, so that
	// methods cannot fail.
	authorized ssh.PublicKey
	pkcs8      []byte
	pkix       []byte
}

// GeneratePrivateKey makes a new key of 2048, 3072 or 4096 bits; 0 means
// [DefaultKeyBits]. Smaller keys are refused since there is no reason to make a
// new weak one. 4096 bits take seconds.
func GeneratePrivateKey(bits int) (*PrivateKey, error) {
	if bits == 0 {
		bits = DefaultKeyBits
	}
	switch bits {
	case 2048, 3072, MaxGeneratedKeyBits:
	default:
		return nil, fmt.Errorf("bits must be 2048, 3072 or %d, not %d", MaxGeneratedKeyBits, bits)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate a private key of %d bits: %w", bits, err)
	}
	return newPrivateKey(key)
}

// newPrivateKey checks an RSA key and prepares its public forms.
func newPrivateKey(key *rsa.PrivateKey) (*PrivateKey, error) {
	if bits := key.N.BitLen(); bits < MinKeyBits || bits > MaxKeyBits {
		return nil, fmt.Errorf("private_key has %d bits; the size must be %d to %d", bits, MinKeyBits, MaxKeyBits)
	}
	// The cause is left out: the numbers of a broken key are as secret as those
	// of a sound one.
	if key.Validate() != nil {
		return nil, errInconsistentKey
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errInconsistentKey
	}
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, errInconsistentKey
	}
	authorized, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		return nil, errInconsistentKey
	}
	return &PrivateKey{rsa: key, authorized: authorized, pkcs8: pkcs8, pkix: pkix}, nil
}

// Bits is the size of the modulus in bits.
func (k *PrivateKey) Bits() int { return k.rsa.N.BitLen() }

// PEM is the private key itself, unencrypted, as PKCS#8 ("BEGIN PRIVATE KEY").
// It is secret: it belongs in seal-wrapped storage and nowhere else.
func (k *PrivateKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k.pkcs8})
}

// PublicPEM is the public half as PKIX ("BEGIN PUBLIC KEY").
func (k *PrivateKey) PublicPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.pkix}))
}

// AuthorizedKey is the public half as one line of an authorized_keys file,
// without a comment and without a line break: the form in which clouds import
// key pairs.
func (k *PrivateKey) AuthorizedKey() string {
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(k.authorized)))
}

// Warnings tells what an operator should know about a key that is accepted all
// the same. It is empty for a sound key.
func (k *PrivateKey) Warnings() []string {
	var warnings []string
	bits := k.Bits()
	if bits < secureKeyBits {
		warnings = append(warnings, fmt.Sprintf(
			"the RSA key has %d bits; keys under %d bits can be broken: replace the key pair", bits, secureKeyBits))
	}
	if chars := (k.rsa.Size() + 2) / 3 * 4; chars > novaCiphertextChars {
		warnings = append(warnings, fmt.Sprintf(
			"the RSA key has %d bits; its initial passwords take %d characters, and OpenStack Nova and the clouds built on it keep at most %d",
			bits, chars, novaCiphertextChars))
	}
	return warnings
}

// String shows the size of the key and nothing secret.
func (k PrivateKey) String() string {
	return fmt.Sprintf("RSA private key of %d bits", k.rsa.N.BitLen())
}

// Format makes every verb print what String shows, so that no log line can spill
// the key.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }
