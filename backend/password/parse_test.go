package password

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const passphrase = "correct horse"

// TestParsePrivateKeyForms reads one key in every form in which openssl and
// ssh-keygen write it.
func TestParsePrivateKeyForms(t *testing.T) {
	source := opensslKey(t, 2048)
	want := mustParse(t, source, nil).Fingerprints()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		t.Fatal(err)
	}
	convert := func(args ...string) []byte { return openssl(t, nil, append(args, "-in", file)...) }
	pass := "pass:" + passphrase
	pkcs1 := convert("rsa", "-traditional")
	tests := map[string]struct {
		text      []byte
		encrypted bool
		begins    string
	}{
		"PKCS#1":                   {pkcs1, false, "RSA PRIVATE KEY"},
		"PKCS#8":                   {convert("pkcs8", "-topk8", "-nocrypt"), false, "PRIVATE KEY"},
		"legacy, AES-256":          {convert("rsa", "-traditional", "-aes256", "-passout", pass), true, "RSA PRIVATE KEY"},
		"legacy, AES-128":          {convert("rsa", "-traditional", "-aes128", "-passout", pass), true, "RSA PRIVATE KEY"},
		"legacy, triple DES":       {convert("rsa", "-traditional", "-des3", "-passout", pass), true, "RSA PRIVATE KEY"},
		"PKCS#8, AES-256, SHA-256": {convert("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", pass), true, typeEncryptedPKCS8},
		"PKCS#8, AES-192, SHA-512": {convert("pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512", "-passout", pass), true,
			typeEncryptedPKCS8},
		"PKCS#8, AES-128, SHA-1": {convert("pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1", "-passout", pass), true,
			typeEncryptedPKCS8},
		"PKCS#8, AES-256, SHA-384": {convert("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384", "-passout", pass), true,
			typeEncryptedPKCS8},
		"PKCS#8, 600,000 rounds":       {convert("pkcs8", "-topk8", "-iter", "600000", "-passout", pass), true, typeEncryptedPKCS8},
		"CRLF line ends":               {bytes.ReplaceAll(pkcs1, []byte("\n"), []byte("\r\n")), false, "RSA PRIVATE KEY"},
		"text and a certificate first": {append(append([]byte("Bag Attributes\n"), certificate...), pkcs1...), false, "CERTIFICATE"},
		"byte order mark first":        {append([]byte("\ufeff"), pkcs1...), false, "RSA PRIVATE KEY"},
		"no line break at the end":     {bytes.TrimSpace(pkcs1), false, "RSA PRIVATE KEY"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(tt.text, []byte("-----BEGIN "+tt.begins+"-----")) {
				t.Fatalf("openssl did not write the form that this case is about")
			}
			if tt.encrypted {
				wantEncryptedKey(t, tt.text, want)
			} else {
				wantClearKey(t, tt.text, want)
			}
		})
	}
}

func TestParsePrivateKeyFromSSHKeygen(t *testing.T) {
	want := mustParse(t, readTestdata(t, "openssh_clear.pem"), nil).Fingerprints()
	if want.SHA256 != openSSHSHA256 {
		t.Fatalf("another key: %s", want.SHA256)
	}
	wantClearKey(t, readTestdata(t, "openssh_clear.pem"), want)
	wantEncryptedKey(t, readTestdata(t, "openssh_passphrase.pem"), want)
}

func wantClearKey(t *testing.T, text []byte, want Fingerprints) {
	t.Helper()
	if got := mustParse(t, text, nil).Fingerprints(); got != want {
		t.Errorf("another key: %v", got)
	}
	if _, err := ParsePrivateKey(text, []byte(passphrase)); err != errPassphraseUnneeded { //nolint:errorlint // The value itself is meant.
		t.Errorf("with an idle passphrase: %v", err)
	}
}

func wantEncryptedKey(t *testing.T, text []byte, want Fingerprints) {
	t.Helper()
	if got := mustParse(t, text, []byte(passphrase)).Fingerprints(); got != want {
		t.Errorf("another key: %v", got)
	}
	for given, wantErr := range map[string]error{"": ErrPassphraseMissing, "\r\n": ErrPassphraseMissing, "wrong": ErrPassphraseWrong,
		"wrong\n": ErrPassphraseWrong} {
		if _, err := ParsePrivateKey(text, []byte(given)); err != wantErr { //nolint:errorlint // The value itself is meant.
			t.Errorf("passphrase %q: %v, want %v", given, err, wantErr)
		}
	}
}

// TestParsePrivateKeyManyWrongPassphrases meets the wrong passphrases that the
// padding of the old formats does not catch, about one in 256.
func TestParsePrivateKeyManyWrongPassphrases(t *testing.T) {
	source := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(source, opensslKey(t, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"legacy": openssl(t, nil, "rsa", "-traditional", "-aes128", "-passout", "pass:"+passphrase, "-in", source),
		"PKCS#8": openssl(t, nil, "pkcs8", "-topk8", "-iter", "1", "-passout", "pass:"+passphrase, "-in", source),
	} {
		for i := range 3000 {
			//nolint:errorlint // The value itself is meant.
			if _, err := ParsePrivateKey(text, fmt.Appendf(nil, "wrong %d", i)); err != ErrPassphraseWrong {
				t.Fatalf("%s, wrong passphrase %d: %v", name, i, err)
			}
		}
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	pkcs1 := string(readTestdata(t, "awscli_ec2.pem"))
	other := string(readTestdata(t, "gophercloud_nova.pem"))
	key := mustParse(t, []byte(pkcs1), nil)
	tests := map[string]struct{ text, want string }{
		"empty":                {"", "private_key is empty"},
		"white space":          {" \r\n\t", "private_key is empty"},
		"file name":            {"key.pem", "private_key=@key.pem"},
		"huge":                 {strings.Repeat("A", 1<<20), "longer than 16384 bytes"},
		"PuTTY":                {"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n", "puttygen key.ppk -O private-openssh -o key.pem"},
		"public key":           {key.PublicPEM(), "is a public key"},
		"PKCS#1 public key":    {reblock(t, key.PublicPEM(), "RSA PUBLIC KEY"), "is a public key"},
		"authorized_keys line": {key.AuthorizedKey(), "is a public key"},
		"ed25519 public key":   {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@host", "is a public key"},
		"SSH2 public key":      {"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----", "is a public key"},
		"certificate":          {string(certificate), "is a certificate"},
		"signing request":      {reblock(t, string(certificate), "CERTIFICATE REQUEST"), "is a certificate"},
		"other PEM":            {reblock(t, string(certificate), "DH PARAMETERS"), "no private key"},
		"two private keys":     {pkcs1 + other, "more than one private key"},
		"cut short":            {pkcs1[:len(pkcs1)/2], "cut short"},
		"middle missing":       {pkcs1[:200] + pkcs1[400:], "cut short"},
		"empty block":          {"-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n", "damaged"},
		"empty OpenSSH block":  {"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n", "damaged"},
		"wrong block type":     {reblock(t, pkcs1, "PRIVATE KEY"), "damaged"},
		"line breaks and end":  {strings.ReplaceAll(pkcs1[:len(pkcs1)-20], "\n", " "), "line breaks are lost"},
		"unknown private key":  {reblock(t, pkcs1, "QUANTUM PRIVATE KEY"), "another kind of key"},
		"DSA":                  {reblock(t, pkcs1, "DSA PRIVATE KEY"), "a DSA key"},
		"Ed25519 (OpenSSH)":    {string(readTestdata(t, "ed25519.pem")), "an Ed25519 key"},
		"Ed25519 (PKCS#8)":     {string(openssl(t, nil, "genpkey", "-algorithm", "ed25519")), "an Ed25519 key"},
		"ECDSA (PKCS#8)":       {string(openssl(t, nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")), "an ECDSA key"},
		"ECDSA (SEC 1)":        {string(openssl(t, nil, "ecparam", "-name", "prime256v1", "-genkey")), "an ECDSA key"},
		"ECDSA (OpenSSH)":      {openSSHECDSA(t), "an ECDSA key"},
		"768 bits":             {string(opensslKey(t, 768)), "has 768 bits; the size must be 1024 to 8192"},
		"numbers do not fit":   {brokenPKCS1(t, pkcs1), "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePrivateKey([]byte(tt.text), nil)
			if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, %v; want an error with %q", got, err, tt.want)
			}
			if !strings.Contains(err.Error(), "private_key") {
				t.Errorf("the error does not name the field: %v", err)
			}
			if body := strings.TrimSpace(tt.text); len(body) > 40 && strings.Contains(err.Error(), body[len(body)/2:len(body)/2+8]) {
				t.Errorf("the error shows a part of what was sent: %v", err)
			}
		})
	}
}

func TestParsePrivateKeyRefusesUnsupportedEncryption(t *testing.T) {
	source := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(source, opensslKey(t, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	pass := "pass:" + passphrase
	// Any change to the number of rounds will do, as long as it is too large: it
	// has to be refused before the work is done.
	costly := openssl(t, nil, "pkcs8", "-topk8", "-iter", "100001", "-passout", pass, "-in", source)
	block, _ := pem.Decode(costly)
	block.Bytes = bytes.Replace(block.Bytes, []byte{2, 3, 0x01, 0x86, 0xa1}, []byte{2, 3, 0x7f, 0xff, 0xff}, 1)
	costly = pem.EncodeToMemory(block)
	tests := map[string][]byte{
		"PKCS#8 with triple DES":  openssl(t, nil, "pkcs8", "-topk8", "-v2", "des3", "-passout", pass, "-in", source),
		"PKCS#8 with scrypt":      openssl(t, nil, "pkcs8", "-topk8", "-scrypt", "-passout", pass, "-in", source),
		"PKCS#8 with PBES1":       openssl(t, nil, "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", pass, "-in", source),
		"PKCS#8, too many rounds": costly,
		"OpenSSH, other cipher":   swapCipher(t, readTestdata(t, "openssh_passphrase.pem")),
		"legacy with Camellia":    openssl(t, nil, "rsa", "-traditional", "-camellia256", "-passout", pass, "-in", source),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePrivateKey(text, []byte(passphrase))
			if err != ErrEncryption { //nolint:errorlint // The value itself is meant.
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParsePrivateKeyRefusesDamagedEncryption(t *testing.T) {
	source := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(source, opensslKey(t, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(openssl(t, nil, "pkcs8", "-topk8", "-iter", "1", "-passout", "pass:"+passphrase, "-in", source))
	for cut := range len(block.Bytes) {
		damaged := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:cut]})
		if _, err := ParsePrivateKey(damaged, []byte(passphrase)); err != errUnreadableKey { //nolint:errorlint // The value itself is meant.
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
}

// certificate is a block that is no certificate inside: only its label counts.
var certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("0123456789")})

// reblock gives a PEM text another label.
func reblock(t *testing.T, text, label string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM block")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: block.Bytes}))
}

// brokenPKCS1 flips a bit in the middle of a key's modulus.
func brokenPKCS1(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	block.Bytes[100] ^= 1
	return string(pem.EncodeToMemory(block))
}

// swapCipher renames the cipher in an encrypted OpenSSH key.
func swapCipher(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	swapped := bytes.Replace(block.Bytes, []byte("aes256-ctr"), []byte("aes256-abc"), 1)
	if bytes.Equal(swapped, block.Bytes) {
		t.Fatal("the key is encrypted with another cipher than expected")
	}
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: swapped})
}

func openSSHECDSA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func FuzzParsePrivateKey(f *testing.F) {
	for _, name := range []string{"awscli_ec2.pem", "openssh_clear.pem", "ed25519.pem"} {
		f.Add(readTestdata(f, name), []byte(nil))
	}
	f.Add(readTestdata(f, "openssh_passphrase.pem"), []byte(passphrase))
	f.Add([]byte("PuTTY-User-Key-File-3: ssh-rsa"), []byte(nil))
	f.Fuzz(func(t *testing.T, text, passphrase []byte) {
		key, err := ParsePrivateKey(text, passphrase)
		if err != nil {
			if key != nil || !strings.Contains(err.Error(), "private_key") {
				t.Fatalf("got %v, %v", key, err)
			}
			return
		}
		again, err := ParsePrivateKey(key.PEM(), nil)
		if err != nil || again.Fingerprints() != key.Fingerprints() {
			t.Fatalf("what was read cannot be stored and read again: %v", err)
		}
	})
}
