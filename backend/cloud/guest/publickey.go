package guest

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Bounds of a server's key, in bits. The script makes keys of 3072 bits.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// maxOutput is how much of a command's output is looked at, in bytes. Clouds keep 24,000 characters or
// 24 KB of it.
const maxOutput = 64 << 10

// PublicKey is the public half of the key pair that a Windows server keeps. The zero value is no key. It
// is no secret; its text form is for storage.
type PublicKey struct{ rsa *rsa.PublicKey }

// keyLine finds the key among whatever else was printed. Consoles may wrap long lines, so white space may
// stand anywhere between the markers.
var keyLine = regexp.MustCompile(`cloudpw: public key n=([A-Za-z0-9+/=\s]+),\s*e\s*=([A-Za-z0-9+/=\s]+);`)

// ParsePublicKey finds the public key in what the script of [WindowsPrepare] printed: modulus
// and exponent in base64, in "cloudpw: public key n=...,e=...;". The text around them does not matter, nor does
// how lines end. An output without a key, or with more than one, is an error, and so is a key that
// nobody should use. Ask [Outcome] first: a script that failed says why.
func ParsePublicKey(output string) (PublicKey, error) {
	if len(output) > maxOutput {
		return PublicKey{}, errors.New("the output of the preparation is too long")
	}
	found := keyLine.FindAllStringSubmatch(output, -1)
	if len(found) != 1 {
		return PublicKey{}, fmt.Errorf("the output of the preparation has %d public keys and should have one", len(found))
	}
	return newPublicKey(found[0][1], found[0][2])
}

func newPublicKey(modulus, exponent string) (PublicKey, error) {
	n, errN := number(modulus)
	e, errE := number(exponent)
	switch bits := n.BitLen(); {
	case errN != nil || errE != nil:
		return PublicKey{}, errors.New("the server's public key is not in base64")
	case bits < minKeyBits || bits > maxKeyBits:
		return PublicKey{}, fmt.Errorf("the server's public key has %d bits; it must have %d to %d", bits, minKeyBits, maxKeyBits)
	case n.Bit(0) == 0:
		return PublicKey{}, errors.New("the server's public key is not an RSA key: its modulus is even")
	case e.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3:
		return PublicKey{}, errors.New("the server's public key has an exponent that is even, too small or too large")
	}
	return PublicKey{&rsa.PublicKey{N: n, E: int(e.Int64())}}, nil
}

// number reads an unsigned big-endian number in base64 with white space in it. It never returns nil.
func number(text string) (*big.Int, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(text), ""))
	return new(big.Int).SetBytes(raw), err
}

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.rsa == nil }

// MarshalText implements encoding.TextMarshaler: modulus and exponent in base64 with a blank between them;
// nothing for no key.
func (k PublicKey) MarshalText() ([]byte, error) {
	if k.rsa == nil {
		return nil, nil
	}
	b64 := base64.StdEncoding
	return []byte(b64.EncodeToString(k.rsa.N.Bytes()) + " " + b64.EncodeToString(big.NewInt(int64(k.rsa.E)).Bytes())), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *PublicKey) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*k = PublicKey{}
		return nil
	}
	modulus, exponent, _ := strings.Cut(string(text), " ")
	read, err := newPublicKey(modulus, exponent)
	if err != nil {
		return err
	}
	*k = read
	return nil
}
