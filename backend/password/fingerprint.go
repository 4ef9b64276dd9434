package password

import (
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The kinds of fingerprint, as Fingerprints.Map and Fingerprints.Match name them.
const (
	KindAWSCreated  = "aws_created"
	KindAWSImported = "aws_imported"
	KindMD5         = "md5"
	KindSHA256      = "sha256"
)

// Fingerprints are the forms in which clouds name one key pair. They are public.
type Fingerprints struct {
	// AWSCreated is what EC2 shows for an RSA pair that it created itself: SHA-1
	// of the private key as PKCS#8 DER, in hex with colons. The source is the
	// EC2 API model's text on KeyPairInfo.
	AWSCreated string

	// AWSImported is what EC2 shows for an RSA pair that was imported: MD5 of
	// the public key as PKIX DER, in hex with colons.
	AWSImported string

	// MD5 is what Nova and the clouds built on it show: MD5 of the public key in
	// SSH wire form, in hex with colons, without a prefix.
	MD5 string

	// SHA256 is OpenSSH's form: "SHA256:" and base64 without padding.
	SHA256 string
}

// Fingerprints computes all fingerprints of the key. They are names and protect
// nothing, so MD5 and SHA-1 are used for them even where FIPS 140 is enforced.
func (k *PrivateKey) Fingerprints() Fingerprints {
	f := Fingerprints{SHA256: ssh.FingerprintSHA256(k.authorized)}
	fips140.WithoutEnforcement(func() {
		created, imported := sha1.Sum(k.pkcs8), md5.Sum(k.pkix)
		f.AWSCreated = colonHex(created[:])
		f.AWSImported = colonHex(imported[:])
		f.MD5 = ssh.FingerprintLegacyMD5(k.authorized)
	})
	return f
}

// Map returns the fingerprints by kind, ready to be answered as JSON.
func (f Fingerprints) Map() map[string]string {
	return map[string]string{
		KindAWSCreated:  f.AWSCreated,
		KindAWSImported: f.AWSImported,
		KindMD5:         f.MD5,
		KindSHA256:      f.SHA256,
	}
}

// Match tells which kind of fingerprint s is, if it is one of this key's. It
// takes what clouds and tools print: hex in any case, with or without colons
// and the prefix "MD5:" or "SHA1:"; base64 with or without the prefix
// "SHA256:" and padding.
func (f Fingerprints) Match(s string) (kind string, ok bool) {
	s = strings.TrimSpace(s)
	if n := normalSHA256(s); n != "" && n == normalSHA256(f.SHA256) {
		return KindSHA256, true
	}
	n := normalHex(s)
	if n == "" {
		return "", false
	}
	switch n {
	case normalHex(f.AWSCreated):
		return KindAWSCreated, true
	case normalHex(f.AWSImported):
		return KindAWSImported, true
	case normalHex(f.MD5):
		return KindMD5, true
	default:
		return "", false
	}
}

// Contains reports whether s is one of the key's fingerprints, as Match reads it.
func (f Fingerprints) Contains(s string) bool {
	_, ok := f.Match(s)
	return ok
}

// normalSHA256 brings a SHA-256 fingerprint to bare base64, which is
// case-sensitive.
func normalSHA256(s string) string {
	return strings.TrimRight(trimPrefixFold(s, "SHA256:"), "=")
}

// normalHex brings a hex fingerprint to bare lower case.
func normalHex(s string) string {
	s = trimPrefixFold(trimPrefixFold(s, "MD5:"), "SHA1:")
	return strings.ToLower(strings.ReplaceAll(s, ":", ""))
}

func trimPrefixFold(s, prefix string) string {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):]
	}
	return s
}

// colonHex is lower-case hex with a colon between bytes.
func colonHex(b []byte) string {
	parts := make([]string, len(b))
	for i := range b {
		parts[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(parts, ":")
}
