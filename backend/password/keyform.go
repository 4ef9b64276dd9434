package password

import (
	"errors"
	"regexp"
	"strings"
)

// What has another form than PEM is told by how it begins. The vault command reads a file as UTF-8, so that of
// a binary one all bytes from 0x80 on arrive as U+FFFD: such a key is lost, and its answer is the command
// that converts it.

// foreignForms are the forms that are told and not read. The first that fits counts.
var foreignForms = []struct {
	begins *regexp.Regexp // of text, or of binary data in which every byte from 0x80 on is U+FFFD
	says   string
}{
	{regexp.MustCompile(`^PuTTY-User-Key-File-\d+: ssh-rsa`),
		"private_key is a PuTTY key file; convert it with: puttygen key.ppk -O private-openssh -o key.pem"},
	{regexp.MustCompile(`^PuTTY-User-Key-File-\d+: ssh-ed(25519|448)`), "private_key is a PuTTY key file with an EdDSA key; " + needsRSA},
	{regexp.MustCompile(`^PuTTY-User-Key-File-\d+: ecdsa-`), "private_key is a PuTTY key file with an ECDSA key; " + needsRSA},
	{regexp.MustCompile(`^PuTTY-User-Key-File-`),
		"private_key is a PuTTY key file; convert it with: puttygen key.ppk -O private-openssh -o key.pem"},
	{regexp.MustCompile(`^SSH PRIVATE KEY FILE FORMAT 1`), "private_key is a key of SSH's first version; " + needsRSA},
	{regexp.MustCompile(`^(<\?xml[^>]*>\s*)?<RSAKeyValue>`), "private_key is an XML key of .NET; convert it in PowerShell 7 with: " +
		"$k = [Security.Cryptography.RSA]::Create(); $k.FromXmlString((Get-Content -Raw key.xml)); $k.ExportPkcs8PrivateKeyPem() | " +
		"Set-Content key.pem"},
	{regexp.MustCompile(`(?s)^0\x{FFFD}.{1,2}\x02\x01\x030`),
		"private_key is a PKCS#12 file (.pfx, .p12); convert it with: openssl pkcs12 -in key.pfx -nocerts -nodes -out key.pem"},
	{regexp.MustCompile(`(?s)^0\x{FFFD}.{1,2}\x02\x01[\x00\x01]`),
		"private_key is a binary DER file; convert it with: openssl pkey -inform DER -in key.der -out key.pem"},
	{regexp.MustCompile(`(?s)^0\x{FFFD}.{1,2}0.{1,2}\x06\x09\*\x{FFFD}H\x{FFFD}\x{FFFD}[\r\n]\x01(\x05|\x0c\x01)`),
		"private_key is an encrypted binary DER file; convert it with: openssl pkcs8 -inform DER -in key.der -out key.pem"},
	{regexp.MustCompile(`(?s)^0\x{FFFD}`), "private_key is a binary DER file, maybe a certificate; if it is a private key, convert it " +
		"with: openssl pkey -inform DER -in key.der -out key.pem"},
	{regexp.MustCompile(`(?s)^\x1e\x{FFFD}{3}`),
		"private_key is a PVK file of Microsoft's; convert it with: openssl rsa -inform PVK -in key.pvk -out key.pem"},
	{regexp.MustCompile(`(?s)^\x07\x02\x00\x00`),
		"private_key is a private key BLOB of Microsoft's; convert it with: openssl rsa -inform MSBLOB -in key.blob -out key.pem"},
	{regexp.MustCompile(`(?s)^\x{FFFD}{4}\x00\x00\x00[\x01\x02]`), "private_key is a Java key store; convert it with: keytool " +
		"-importkeystore -srckeystore key.jks -destkeystore key.p12 -deststoretype PKCS12, then: openssl pkcs12 -in key.p12 -nocerts -nodes " +
		"-out key.pem"},
	{regexp.MustCompile(`(?s)^openssh-key-v1\x00`),
		"private_key is the inside of an OpenSSH key file that is cut short or damaged; use private_key=@key.pem"},
	{regexp.MustCompile(`[\x00-\x08\x0e-\x1f\x{FFFD}]`),
		"private_key is a binary file; if it is a private key in DER, convert it with: openssl pkey -inform DER -in key.der -out key.pem; " +
			"if in PKCS#12: openssl pkcs12 -in key.pfx -nocerts -nodes -out key.pem"},
}

// foreignForm tells what a text or a binary file is; nil if nothing is known.
func foreignForm(text string) error {
	if raw, ok := fromBase64(text); ok {
		if err := binaryForm(raw); err != nil {
			return err
		}
	}
	return binaryForm([]byte(text))
}

func binaryForm(raw []byte) error {
	// As the vault command would have sent it, byte by byte.
	shown := strings.ToValidUTF8(string(raw), "")
	if len(shown) != len(raw) {
		var out strings.Builder
		for _, c := range string(raw[:min(len(raw), 256)]) {
			out.WriteRune(c)
		}
		shown = out.String()
	}
	for _, form := range foreignForms {
		if form.begins.MatchString(shown) {
			return errors.New(form.says)
		}
	}
	return nil
}
