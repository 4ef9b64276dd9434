package password

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// openssl runs the openssl program, an independent implementation to test
// against, and returns what it prints.
func openssl(t testing.TB, stdin []byte, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v: %s (these tests need OpenSSL 1.1.1 or later on PATH)", args[0], err, stderr.String())
	}
	return out
}

// opensslKey makes a fresh RSA private key as PEM.
func opensslKey(t testing.TB, bits int) []byte {
	t.Helper()
	return openssl(t, nil, "genrsa", strconv.Itoa(bits))
}

// opensslEncrypt encrypts a plaintext as a guest does: PKCS#1 v1.5, base64.
func opensslEncrypt(t testing.TB, key *PrivateKey, plaintext []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(file, []byte(key.PublicPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	block := openssl(t, plaintext, "pkeyutl", "-encrypt", "-pubin", "-inkey", file, "-pkeyopt", "rsa_padding_mode:pkcs1")
	return base64.StdEncoding.EncodeToString(block)
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustParse(t testing.TB, text, passphrase []byte) *PrivateKey {
	t.Helper()
	key, err := ParsePrivateKey(text, passphrase)
	if err != nil {
		t.Fatalf("ParsePrivateKey: %v", err)
	}
	return key
}

// vector is a published initial password with its key.
type vector struct {
	name, ciphertext, plaintext string
	key                         *PrivateKey
}

func vectors(t testing.TB) []vector {
	t.Helper()
	var out []vector
	for _, name := range []string{"awscli_ec2", "gophercloud_nova"} {
		out = append(out, vector{
			name:       name,
			ciphertext: strings.TrimSpace(string(readTestdata(t, name+".b64"))),
			plaintext:  string(readTestdata(t, name+".expected")),
			key:        mustParse(t, readTestdata(t, name+".pem"), nil),
		})
	}
	return out
}
