package sshclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxHostKey bounds the text of a host key, in bytes: that of RSA with 16,384 bits has some 2,800.
const maxHostKey = 8 << 10

// minRSA is the least size of an RSA key, in bits.
const minRSA = 2048

// hostKeyTypes are the types of host keys that can be pinned, the preferred first, and the signatures that each may make. DSA and
// signatures with SHA-1 are left out.
var hostKeyTypes = []struct {
	name       string
	algorithms []string
}{
	{ssh.KeyAlgoED25519, []string{ssh.KeyAlgoED25519}},
	{ssh.KeyAlgoECDSA256, []string{ssh.KeyAlgoECDSA256}},
	{ssh.KeyAlgoECDSA384, []string{ssh.KeyAlgoECDSA384}},
	{ssh.KeyAlgoECDSA521, []string{ssh.KeyAlgoECDSA521}},
	{ssh.KeyAlgoRSA, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}},
}

// algorithmsOf are the signatures that a host key of that type may make, of any type for "".
func algorithmsOf(keyType string) []string {
	var all []string
	for _, t := range hostKeyTypes {
		if keyType == "" || keyType == t.name {
			all = append(all, t.algorithms...)
		}
	}
	return all
}

// ParseHostKey reads the public key of a host from one line: in the form of authorized_keys or of a file ssh_host_*_key.pub
// ("ssh-ed25519 AAAA... comment"), or in that of known_hosts and ssh-keyscan ("name ssh-ed25519 AAAA..."). The canonical form is type
// and key, without host and comment. Errors have no field's name; they begin with what is wrong and say what to give.
func ParseHostKey(text string) (canonical string, err error) {
	key, err := parseHostKey(text)
	if err != nil {
		return "", err
	}
	return canonicalKey(key), nil
}

const wantKey = "; give one line of ssh-keyscan, or of the server's /etc/ssh/ssh_host_ed25519_key.pub"

func parseHostKey(text string) (ssh.PublicKey, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, errors.New("is empty" + wantKey)
	case len(text) > maxHostKey:
		return nil, errors.New("is longer than any host key" + wantKey)
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("has more than one line" + wantKey)
	case strings.Contains(text, "PRIVATE KEY"):
		return nil, errors.New("is a private key" + wantKey)
	case strings.HasPrefix(text, "SHA256:") || strings.HasPrefix(text, "MD5:"):
		return nil, errors.New("is a fingerprint, and no key" + wantKey)
	case strings.HasPrefix(text, "@"):
		return nil, errors.New("has a marker of known_hosts (@cert-authority, @revoked); certificates of hosts are not used" + wantKey)
	}
	fields := strings.Fields(text)
	if !isKeyType(fields[0]) && len(fields) > 1 {
		if isOption(fields[0]) {
			return nil, errors.New("has an option of authorized_keys before the key, so it is a user's key, and not a host's" + wantKey)
		}
		fields = fields[1:] // the name of the host
	}
	if len(fields) < 2 || !isKeyType(fields[0]) {
		return nil, fmt.Errorf("is no public key of a type that is known (%s)%s", strings.Join(keyTypeNames(), ", "), wantKey)
	}
	if slices.ContainsFunc(fields[2:], isKeyType) {
		return nil, errors.New("has more than one key" + wantKey)
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return nil, errors.New("is no base64 behind the key's type; it was cut or copied badly" + wantKey)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, errors.New("is no public key; it was cut or copied badly" + wantKey)
	}
	if key.Type() != fields[0] {
		return nil, fmt.Errorf("says %.60s and holds a key of type %.60s%s", fields[0], key.Type(), wantKey)
	}
	if err := checkStrength(key); err != nil {
		return nil, err
	}
	return key, nil
}

// isOption reports whether what stands before a key is no list of hosts, but options of authorized_keys (sshd(8)). Hashed names of
// hosts have "=" in their base64.
func isOption(field string) bool {
	if strings.HasPrefix(field, "|") {
		return false
	}
	return strings.ContainsAny(field, `="`) || slices.ContainsFunc(strings.Split(strings.ToLower(field), ","), func(o string) bool {
		return o == "cert-authority" || o == "restrict" || strings.HasPrefix(o, "no-") && strings.HasSuffix(o, "-forwarding") || o == "no-pty"
	})
}

func checkStrength(key ssh.PublicKey) error {
	if key.Type() != ssh.KeyAlgoRSA {
		return nil
	}
	if bits := rsaBits(key); bits < minRSA {
		return fmt.Errorf("is an RSA key of %d bits; at least %d are needed", bits, minRSA)
	}
	return nil
}

func isKeyType(name string) bool { return slices.Contains(keyTypeNames(), name) }

func keyTypeNames() []string {
	names := make([]string, len(hostKeyTypes))
	for i, t := range hostKeyTypes {
		names[i] = t.name
	}
	return names
}

// canonicalKey is a public key in the form of authorized_keys, without a comment.
func canonicalKey(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// Fingerprint is that of a public key in the form of ParseHostKey, as OpenSSH prints it: SHA256:...; "" of what is no key.
func Fingerprint(key string) string {
	parsed, err := parseHostKey(key)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(parsed)
}

// hostKeyError is that of a host that does not have the pinned key, or of one that none could be pinned of.
type hostKeyError struct {
	pinned, shown string // fingerprints; pinned is "" where the host is not known yet
	err           error  // why it could not be pinned
}

func (e *hostKeyError) Error() string { return "the host key is not the pinned one" }

func (e *hostKeyError) Unwrap() error { return e.err }

// hostKeys says which key a host must have: the pinned one, or what first makes of the one that it shows.
func hostKeys(ctx context.Context, pinned string, first func(context.Context, string) (string, error)) (
	algorithms []string, check ssh.HostKeyCallback, err error,
) {
	if pinned == "" && first == nil {
		return nil, nil, errNoHostKey
	}
	var want ssh.PublicKey
	keyType := ""
	if pinned != "" {
		if want, err = parseHostKey(pinned); err != nil {
			return nil, nil, fmt.Errorf("the pinned host key %w", err)
		}
		keyType = want.Type()
	}
	check = func(_ string, _ net.Addr, shown ssh.PublicKey) error {
		expected := want
		if expected == nil {
			if err := checkStrength(shown); err != nil {
				return &hostKeyError{shown: ssh.FingerprintSHA256(shown), err: err}
			}
			now, err := first(ctx, canonicalKey(shown))
			if err != nil {
				return &hostKeyError{shown: ssh.FingerprintSHA256(shown), err: err}
			}
			if expected, err = parseHostKey(now); err != nil {
				return &hostKeyError{shown: ssh.FingerprintSHA256(shown), err: err}
			}
		}
		if !bytes.Equal(expected.Marshal(), shown.Marshal()) {
			return &hostKeyError{pinned: ssh.FingerprintSHA256(expected), shown: ssh.FingerprintSHA256(shown)}
		}
		return nil
	}
	return algorithmsOf(keyType), check, nil
}

var errNoHostKey = errors.New("no host key is pinned")
