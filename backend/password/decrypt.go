package password

import (
	"crypto/fips140"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

var (
	// ErrDecrypt is the only answer to an initial password that cannot be
	// decrypted, whatever the cause: bad base64, a wrong key, bad padding, a
	// hostile plaintext. Telling causes apart would make the plugin a padding
	// oracle for a guest, which writes the ciphertext. What differs between the
	// key and the instance is to be explained from metadata instead: the names
	// and fingerprints of their key pairs.
	ErrDecrypt = errors.New("initial password cannot be decrypted with this key")

	// ErrFIPS says that this process may not decrypt initial passwords at all.
	ErrFIPS = errors.New("initial passwords cannot be decrypted under GODEBUG=fips140=only: " +
		"clouds encrypt them with RSA PKCS#1 v1.5, which that mode forbids; " +
		"run the plugin with fips140=on or fips140=off, or use roles with source=reset")
)

// maxCiphertextText is the longest text, in bytes, that is looked at as a
// ciphertext. A key of 8192 bits makes 1368 characters of base64; the rest is
// room for white space.
const maxCiphertextText = 8 << 10

// DecryptInitial decrypts an initial password as clouds hand it out: base64 in
// the standard alphabet, with white space anywhere, of one RSA PKCS#1 v1.5
// block under the public half of key. An empty ciphertext is no password yet;
// the caller looks for it first, here it is a failure like any other.
//
// The plaintext must be printable text of 1 to [MaxLength] bytes (see
// [text.Check]), since the guest chose it and it will be printed on terminals.
//
// The error is [ErrDecrypt] or [ErrFIPS], each always the same value.
func DecryptInitial(key *PrivateKey, ciphertext string) (string, error) {
	if fips140.Enforced() {
		return "", ErrFIPS
	}
	if len(ciphertext) > maxCiphertextText {
		return "", ErrDecrypt
	}
	block, err := base64.StdEncoding.DecodeString(strings.Map(dropSpace, ciphertext))
	if err != nil || len(block) != key.rsa.Size() {
		return "", ErrDecrypt
	}
	//lint:ignore SA1019 the same for staticcheck alone: clouds offer no other padding.
	//nolint:staticcheck // SA1019: clouds encrypt initial passwords with this padding and offer no other.
	plaintext, err := rsa.DecryptPKCS1v15(nil, key.rsa, block)
	defer clear(plaintext)
	if err != nil || !isPassword(plaintext) {
		return "", ErrDecrypt
	}
	return string(plaintext), nil
}

// isPassword reports whether a decrypted text may be handed out as a password.
func isPassword(plaintext []byte) bool {
	return len(plaintext) > 0 && len(plaintext) <= MaxLength && text.Check(string(plaintext)) == nil
}
