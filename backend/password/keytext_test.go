package password

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"
)

// viaCommand is what arrives of a file that the vault command sends: its bytes as JSON text.
func viaCommand(t *testing.T, file []byte) []byte {
	t.Helper()
	raw, err := json.Marshal(string(file))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

// inUTF16 is a text in UTF-16, after a byte order mark or without one.
func inUTF16(text string, bigEndian, mark bool) []byte {
	if mark {
		text = "\ufeff" + text
	}
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if bigEndian {
			out = append(out, byte(unit>>8), byte(unit))
		} else {
			out = append(out, byte(unit), byte(unit>>8))
		}
	}
	return out
}

// A key is read whatever its file has been through, as long as it can be meant in one way only.
func TestParsePrivateKeyInOtherWrappings(t *testing.T) {
	pkcs1 := string(readTestdata(t, "awscli_ec2.pem"))
	want := mustParse(t, []byte(pkcs1), nil).Fingerprints()
	block, _ := pem.Decode([]byte(pkcs1))
	pkcs8 := mustParse(t, []byte(pkcs1), nil).PEM()
	pkcs8Block, _ := pem.Decode(pkcs8)
	inJSON := func(value any) string {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	lines := strings.Split(strings.TrimSpace(pkcs1), "\n")
	for name, text := range map[string]string{
		"UTF-16, little endian":            string(inUTF16(pkcs1, false, true)),
		"UTF-16, big endian":               string(inUTF16(pkcs1, true, true)),
		"UTF-16, little endian, no mark":   string(inUTF16(pkcs1, false, false)),
		"UTF-16, big endian, no mark":      string(inUTF16(pkcs1, true, false)),
		"UTF-16, CRLF":                     string(inUTF16(strings.ReplaceAll(pkcs1, "\n", "\r\n"), false, true)),
		"byte order mark":                  "\ufeff" + pkcs1,
		"indented by blanks":               "    " + strings.ReplaceAll(pkcs1, "\n", "\n    "),
		"indented by tabs":                 "\t" + strings.ReplaceAll(pkcs1, "\n", "\n\t"),
		"in YAML":                          "private_key: |\n  " + strings.ReplaceAll(pkcs1, "\n", "\n  "),
		"in an .env file":                  `KEY="` + strings.TrimSpace(pkcs1) + `"`,
		"CR only":                          strings.ReplaceAll(pkcs1, "\n", "\r"),
		"CRLF":                             strings.ReplaceAll(pkcs1, "\n", "\r\n"),
		"CRCRLF":                           strings.ReplaceAll(pkcs1, "\n", "\r\r\n"),
		"double spaced":                    strings.ReplaceAll(pkcs1, "\n", "\n\n"),
		`\n written out`:                   strings.ReplaceAll(pkcs1, "\n", `\n`),
		`\r\n written out`:                 strings.ReplaceAll(pkcs1, "\n", `\r\n`),
		`\n written out, quoted`:           `"` + strings.ReplaceAll(pkcs1, "\n", `\n`) + `"`,
		`\n written out, in single quotes`: `'` + strings.ReplaceAll(pkcs1, "\n", `\n`) + `'`,
		"one line, blanks":                 strings.Join(lines, " "),
		"one line, nothing between":        strings.Join(lines, ""),
		"quoted":                           `"` + pkcs1 + `"`,
		"in single quotes":                 "'" + strings.TrimSpace(pkcs1) + "'\n",
		"no-break spaces":                  strings.ReplaceAll(pkcs1, "\n", "\u00a0\n\u00a0"),
		"zero width spaces":                "\u200b" + strings.ReplaceAll(pkcs1, "\n", "\n\u200b"),
		"hyphens of a word processor":      strings.ReplaceAll(pkcs1, "-----", "\u2014\u2014-"),
		"a hyphen lost":                    pkcs1[1:],
		"lower lines wrapped at 76":        wrapped(t, pkcs1, 76),
		"aws ec2 create-key-pair": inJSON(map[string]any{"KeyFingerprint": "aa:bb", "KeyMaterial": pkcs1, "KeyName": "k",
			"KeyPairId": "key-1"}),
		"tccli cvm CreateKeyPair": inJSON(map[string]any{"KeyPair": map[string]any{"KeyId": "skey-1", "PublicKey": "ssh-rsa AAAA",
			"PrivateKey": pkcs1}, "RequestId": "r"}),
		"Nova's os-keypairs": inJSON(map[string]any{"keypair": map[string]any{"private_key": pkcs1,
			"public_key": "ssh-rsa AAAA"}}),
		"aws ec2 create-key-pair with --query": inJSON(pkcs1),
		"base64 of the file":                   base64.StdEncoding.EncodeToString([]byte(pkcs1)),
		"base64 of the file, wrapped":          wrap(base64.StdEncoding.EncodeToString([]byte(pkcs1)), 76),
		"base64 of the answer":                 base64.StdEncoding.EncodeToString([]byte(inJSON(map[string]any{"KeyMaterial": pkcs1}))),
		"base64 twice":                         base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(pkcs1)))),
		"base64 twice, each wrapped": wrap(base64.StdEncoding.EncodeToString(
			[]byte(wrap(base64.StdEncoding.EncodeToString([]byte(pkcs1)), 76)+"\n")), 76),
		"base64 of UTF-16":             base64.StdEncoding.EncodeToString(inUTF16(pkcs1, false, true)),
		"base64 of UTF-16, big endian": base64.StdEncoding.EncodeToString(inUTF16(pkcs1, true, false)),
		"UTF-16 of base64":             string(inUTF16(base64.StdEncoding.EncodeToString([]byte(pkcs1)), false, true)),
		"base64url of the file":        base64.RawURLEncoding.EncodeToString([]byte(pkcs1)),
		"the body alone, PKCS#1":       strings.Join(lines[1:len(lines)-1], "\n"),
		"the body alone, PKCS#8":       base64.StdEncoding.EncodeToString(pkcs8Block.Bytes),
		"PKCS#8 on one line":           strings.ReplaceAll(string(pkcs8), "\n", " "),
	} {
		t.Run(name, func(t *testing.T) { wantClearKey(t, viaCommand(t, []byte(text)), want) })
	}
	for name, der := range map[string][]byte{"PKCS#1": block.Bytes, "PKCS#8": pkcs8Block.Bytes} {
		t.Run("DER, "+name, func(t *testing.T) {
			if got := mustParse(t, der, nil).Fingerprints(); got != want {
				t.Errorf("another key: %v", got)
			}
		})
	}
	wantClearKey(t, inUTF16(pkcs1, false, true), want) // sent by the API, byte by byte
}

func wrapped(t *testing.T, text string, width int) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	return "-----BEGIN " + block.Type + "-----\n" + wrap(base64.StdEncoding.EncodeToString(block.Bytes), width) + "-----END " + block.Type +
		"-----\n"
}

func wrap(text string, width int) string {
	var out strings.Builder
	for line := range slices.Chunk([]byte(text), width) {
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// Encrypted keys are read in other wrappings, too, and so is what a passphrase's file adds to it.
func TestParsePrivateKeyEncryptedInOtherWrappings(t *testing.T) {
	source := filepath.Join(t.TempDir(), "key.pem")
	key := opensslKey(t, 1024)
	if err := os.WriteFile(source, key, 0o600); err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, key, nil).Fingerprints()
	pass := "pass:" + passphrase
	for kind, text := range map[string]string{
		"legacy": string(openssl(t, nil, "rsa", "-traditional", "-aes128", "-passout", pass, "-in", source)),
		"PKCS#8": string(openssl(t, nil, "pkcs8", "-topk8", "-iter", "1", "-passout", pass, "-in", source)),
	} {
		for name, changed := range map[string]string{
			"as it is":     text,
			"indented":     "  " + strings.ReplaceAll(text, "\n", "\n  "),
			"one line":     strings.ReplaceAll(text, "\n", " "),
			"\\n":          strings.ReplaceAll(text, "\n", `\n`),
			"CR only":      strings.ReplaceAll(text, "\n", "\r"),
			"UTF-16":       string(inUTF16(text, false, true)),
			"base64":       base64.StdEncoding.EncodeToString([]byte(text)),
			"double space": strings.ReplaceAll(text, "\n", "\n\n"),
		} {
			t.Run(kind+", "+name, func(t *testing.T) { wantEncryptedKey(t, viaCommand(t, []byte(changed)), want) })
		}
		for name, given := range map[string]string{
			"LF": passphrase + "\n", "CRLF": passphrase + "\r\n", "two": passphrase + "\n\n", "mark": "\ufeff" + passphrase,
			"mark and LF": "\ufeff" + passphrase + "\n",
			"UTF-16":      string(inUTF16(passphrase+"\r\n", false, true)), "UTF-16, big endian": string(inUTF16(passphrase+"\n", true, true)),
		} {
			if got, err := ParsePrivateKey([]byte(text), viaCommand(t, []byte(given))); err != nil || got.Fingerprints() != want {
				t.Errorf("%s, passphrase with %s: %v", kind, name, err)
			}
		}
	}
	if _, err := ParsePrivateKey(key, []byte("\n")); err != nil {
		t.Errorf("an empty passphrase file: %v", err)
	}
}

// What is no PEM at all is told by its name, with the command that converts it.
func TestParsePrivateKeyTellsOtherForms(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "key.pem")
	key := opensslKey(t, 2048)
	if err := os.WriteFile(source, key, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := filepath.Join(dir, "cert.pem")
	openssl(t, nil, "req", "-x509", "-key", source, "-subj", "/CN=x", "-days", "1", "-out", certificate)
	pkcs12 := openssl(t, nil, "pkcs12", "-export", "-inkey", source, "-in", certificate, "-passout", "pass:x")
	der := openssl(t, nil, "pkey", "-in", source, "-outform", "DER")
	pss := openssl(t, nil, "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
	if err := os.WriteFile(filepath.Join(dir, "pss.pem"), pss, 0o600); err != nil {
		t.Fatal(err)
	}
	const pvk = "\x1e\xf1\xb5\xb0\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x94\x04\x00\x00" +
		"\x07\x02\x00\x00\x00\xa4\x00\x00RSA2\x00\x08\x00\x00\x01\x00\x01\x00"
	long := strings.Repeat("QUJD", 30)
	for name, c := range map[string]struct {
		file  string
		wants []string
	}{
		"DER, PKCS#8": {string(der), []string{"DER", "openssl pkey -inform DER -in key.der -out key.pem"}},
		"DER, PKCS#1": {string(openssl(t, nil, "rsa", "-traditional", "-in", source, "-outform", "DER")),
			[]string{"DER", "openssl pkey -inform DER"}},
		"DER, encrypted": {string(openssl(t, nil, "pkcs8", "-topk8", "-in", source, "-outform", "DER", "-passout", "pass:x")),
			[]string{"encrypted", "DER", "openssl pkcs8 -inform DER"}},
		"PKCS#12":           {string(pkcs12), []string{"PKCS#12", "openssl pkcs12 -in key.pfx -nocerts -nodes -out key.pem"}},
		"base64 of PKCS#12": {base64.StdEncoding.EncodeToString(pkcs12), []string{"PKCS#12", "openssl pkcs12"}},
		"PVK":               {pvk + "abcdefgh", []string{"PVK", "openssl rsa -inform PVK -in key.pvk -out key.pem"}},
		"base64 of PVK":     {base64.StdEncoding.EncodeToString([]byte(pvk + "abcdefgh")), []string{"PVK"}},
		"private key BLOB":  {"\x07\x02\x00\x00\x00\xa4\x00\x00RSA2\x00\x08\x00\x00", []string{"BLOB", "openssl rsa -inform MSBLOB"}},
		"Java key store":    {"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01", []string{"Java key store", "keytool -importkeystore"}},
		"XML of .NET":       {"<RSAKeyValue><Modulus>AAAA</Modulus></RSAKeyValue>", []string{"XML key of .NET", "ExportPkcs8PrivateKeyPem"}},
		"JSON Web Key":      {`{"kty":"RSA","n":"AAAA","d":"AAAA"}`, []string{"JSON Web Key", "jwk to-pem"}},
		"aws ec2 describe-...": {`{"KeyPairs":[{"KeyName":"k","KeyFingerprint":"aa"}]}`,
			[]string{"JSON without a private key", "aws ec2 create-key-pair"}},
		"JSON, cut short": {`{"KeyMaterial": "-----BEGIN RSA PRIVATE KEY-----\nMIIE`,
			[]string{"damaged or cut short", "jq -r .KeyMaterial"}},
		"JSON, two keys": {`["-----BEGIN PRIVATE KEY-----x","-----BEGIN PRIVATE KEY-----y"]`, []string{"more than one private key"}},
		"PuTTY 2": {"PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: aes256-cbc\r\n",
			[]string{"PuTTY", "puttygen key.ppk -O private-openssh -o key.pem"}},
		"PuTTY 3, UTF-16": {string(inUTF16("PuTTY-User-Key-File-3: ssh-rsa\r\n", false, true)), []string{"PuTTY", "puttygen"}},
		"PuTTY, Ed25519":  {"PuTTY-User-Key-File-3: ssh-ed25519\n", []string{"EdDSA", "ssh-keygen -t rsa"}},
		"SSH.com": {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"x\"\n" + long +
			"\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n", []string{"SSH.com", "ssh-keygen -i -f key.ssh2 > key.pem"}},
		"RSA-PSS": {string(pss), []string{"RSA-PSS", "openssl rsa -in key.pem -traditional | sed 's/RSA-PSS/RSA/' > new.pem"}},
		"RSA-PSS, PKCS#1": {string(openssl(t, nil, "rsa", "-traditional", "-in", filepath.Join(dir, "pss.pem"))),
			[]string{"RSA-PSS", "openssl rsa"}},
		"Ed448": {string(openssl(t, nil, "genpkey", "-algorithm", "ED448")),
			[]string{"an Ed448 key", "ssh-keygen -t rsa -b 2048 -m PEM -f key.pem"}},
		"Ed25519": {string(openssl(t, nil, "genpkey", "-algorithm", "ED25519")), []string{"an Ed25519 key", "ssh-keygen -t rsa"}},
		"X25519":  {string(openssl(t, nil, "genpkey", "-algorithm", "X25519")), []string{"an X25519 key"}},
		"EC, secp256k1": {string(openssl(t, nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")),
			[]string{"an ECDSA key"}},
		"EC, SEC 1, encrypted": {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " +
			"AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n" + long + "\n-----END EC PRIVATE KEY-----\n", []string{"an ECDSA key"}},
		"Ed25519, encrypted":     {openSSHEncrypted(t, string(readTestdata(t, "ed25519.pem"))), []string{"an Ed25519 key"}},
		"FIDO key":               {openSSHOf("sk-ssh-ed25519@openssh.com"), []string{"a FIDO security key"}},
		"OpenSSH, DSA":           {openSSHOf("ssh-dss"), []string{"a DSA key"}},
		"public key, base64 DER": {strings.Join(strings.Split(mustParse(t, key, nil).PublicPEM(), "\n")[1:8], "\n"), []string{"is a public key"}},
		"public key, indented":   {"  " + strings.ReplaceAll(mustParse(t, key, nil).PublicPEM(), "\n", "\n  "), []string{"is a public key"}},
		"certificate, DER": {base64.StdEncoding.EncodeToString(openssl(t, nil, "x509", "-in", certificate, "-outform", "DER")),
			[]string{"is a certificate"}},
		"certificate alone": {string(openssl(t, nil, "x509", "-in", certificate)), []string{"is a certificate"}},
		"a picture":         {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", []string{"binary file"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePrivateKey(viaCommand(t, []byte(c.file)), nil)
			if err == nil {
				t.Fatalf("read as %v", got)
			}
			for _, want := range append(c.wants, "private_key") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}

func openSSHEncrypted(t *testing.T, text string) string {
	t.Helper()
	key, err := ssh.ParseRawPrivateKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// openSSHOf is a key of OpenSSH's format as far as its type stands in clear.
func openSSHOf(kind string) string {
	of := func(parts ...string) string {
		var out bytes.Buffer
		for _, part := range parts {
			out.Write([]byte{0, 0, byte(len(part) >> 8), byte(len(part))})
			out.WriteString(part)
		}
		return out.String()
	}
	raw := openSSHMagic + of("none", "none", "") + "\x00\x00\x00\x01" + of(of(kind, "public"), "private")
	return string(pem.EncodeToMemory(&pem.Block{Type: typeOpenSSH, Bytes: []byte(raw)}))
}
