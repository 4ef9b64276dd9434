package password

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratePrivateKey(t *testing.T) {
	for given, want := range map[int]int{0: 2048, 2048: 2048, 3072: 3072} {
		t.Run(fmt.Sprint(given), func(t *testing.T) {
			key, err := GeneratePrivateKey(given)
			if err != nil {
				t.Fatal(err)
			}
			if key.Bits() != want || len(key.Warnings()) != 0 {
				t.Errorf("%d bits, warnings %q", key.Bits(), key.Warnings())
			}
			if got, err := DecryptInitial(key, opensslEncrypt(t, key, []byte("S3cret-pass"))); err != nil || got != "S3cret-pass" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for _, bits := range []int{-1, 1, 1024, 2047, 4095, 5120, 8192, 1 << 20} {
		if _, err := GeneratePrivateKey(bits); err == nil || !strings.Contains(err.Error(), "bits must be 2048, 3072 or 4096") {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestPrivateKeyForms checks the forms of a key against openssl and ssh-keygen.
func TestPrivateKeyForms(t *testing.T) {
	text := readTestdata(t, "openssh_clear.pem")
	key := mustParse(t, text, nil)
	// The line of ssh-keygen -y, by its beginning and its fingerprint.
	if got := key.AuthorizedKey(); !strings.HasPrefix(got, "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCzC97yvTk9") ||
		strings.ContainsAny(got, "\r\n") {
		t.Errorf("AuthorizedKey() = %q", got)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, key.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl(t, nil, "pkey", "-check", "-noout", "-in", file)
	if got := string(openssl(t, nil, "pkey", "-pubout", "-in", file)); got != key.PublicPEM() {
		t.Errorf("PublicPEM() = %s, openssl has %s", key.PublicPEM(), got)
	}
	if again := mustParse(t, key.PEM(), nil); again.Fingerprints() != key.Fingerprints() {
		t.Error("the stored form is another key")
	}
}

func TestPrivateKeyWarnings(t *testing.T) {
	tests := map[int][]string{
		1024: {"1024 bits; keys under 2048 bits"},
		2048: nil,
		4096: nil,
		6120: nil,
		6144: {"OpenStack Nova"}, // 768 bytes: 1024 characters, Nova keeps 1020
	}
	for bits, want := range tests {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			// Only the size counts here; a real key of 6144 bits takes long to find.
			modulus := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
			key := &PrivateKey{rsa: &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: modulus}}}
			got := key.Warnings()
			if len(got) != len(want) {
				t.Fatalf("got %q", got)
			}
			for i := range want {
				if !strings.Contains(got[i], want[i]) {
					t.Errorf("got %q, want %q", got[i], want[i])
				}
			}
		})
	}
}

// TestPrivateKeyDoesNotPrint tries the ways in which a key gets into a log by
// mistake.
func TestPrivateKeyDoesNotPrint(t *testing.T) {
	key := vectors(t)[0].key
	const want = "RSA private key of 2048 bits"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for what, value := range map[string]any{"pointer": key, "value": *key} {
			if got := fmt.Sprintf(verb, value); got != want {
				t.Errorf("%s of a %s prints %d characters", verb, what, len(got))
			}
		}
		nested := fmt.Sprintf(verb, struct{ Key *PrivateKey }{key})
		if secret := fmt.Sprintf("%d", key.pkcs8[30:40]); strings.Contains(nested, strings.Trim(secret, "[]")) {
			t.Errorf("%s of a struct prints the key", verb)
		}
	}
	asJSON, err := json.Marshal(map[string]any{"key": key})
	if err != nil || string(asJSON) != `{"key":{}}` {
		t.Errorf("JSON has %d bytes, %v", len(asJSON), err)
	}
}
