package password

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestUnderStrictFIPS runs itself again in a process with GODEBUG=fips140=only,
// since that setting is read once when a process starts.
func TestUnderStrictFIPS(t *testing.T) {
	if fips140.Enforced() {
		t.Run("decryption", strictFIPSDecryption)
		t.Run("keys", strictFIPSKeys)
		t.Run("generation", strictFIPSGeneration)
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, part := range []string{"decryption", "keys", "generation"} {
		if !strings.Contains(string(out), "--- PASS: "+t.Name()+"/"+part) {
			t.Errorf("%s did not run under strict FIPS 140:\n%s", part, out)
		}
	}
}

func strictFIPSDecryption(t *testing.T) {
	v := vectors(t)[0]
	for name, ciphertext := range map[string]string{"good": v.ciphertext, "bad": "!", "empty": ""} {
		if got, err := DecryptInitial(v.key, ciphertext); got != "" || err != ErrFIPS { //nolint:errorlint // The value itself is the promise.
			t.Errorf("%s ciphertext: got %q, %v", name, got, err)
		}
	}
}

// strictFIPSKeys shows that stored keys can still be shown, and that nothing
// panics on formats and hashes that the mode forbids.
func strictFIPSKeys(t *testing.T) {
	key := mustParse(t, readTestdata(t, "openssh_clear.pem"), nil)
	if f := key.Fingerprints(); f.MD5 != openSSHMD5 || f.SHA256 != openSSHSHA256 || f.AWSCreated == "" || f.AWSImported == "" {
		t.Errorf("got %v", f)
	}
	mustParse(t, key.PEM(), nil)
	legacy := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n" +
		"AAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE KEY-----\n"
	for name, text := range map[string][]byte{"OpenSSH": readTestdata(t, "openssh_passphrase.pem"), "legacy": []byte(legacy)} {
		if _, err := ParsePrivateKey(text, []byte(passphrase)); err != ErrEncryptedUnderFIPS { //nolint:errorlint // The value itself is meant.
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := GeneratePrivateKey(2048); err != nil {
		t.Errorf("generate a key: %v", err)
	}
}

func strictFIPSGeneration(t *testing.T) {
	got, err := Generate(serverRules, "root", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := serverRules.Check(got, "root"); err != nil {
		t.Error(err)
	}
}
