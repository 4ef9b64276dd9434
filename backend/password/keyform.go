package password

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
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

// needsRSA ends what is said of a key of another kind. Such a key cannot be converted.
const needsRSA = "clouds encrypt initial passwords under RSA keys only: use the RSA key pair of the instance; if it was launched with " +
	"this one, its initial password cannot be had. A new pair for the next launch: ssh-keygen -t rsa -b 2048 -m PEM -f key.pem"

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

// Object identifiers of algorithms: RFC 8017, 8410, 5480 and 3279, and NIST's list of its CSOR.
var (
	oidRSA    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
)

var algorithms = map[string]string{
	"1.2.840.113549.1.1.7":    "an RSA-OAEP",
	"1.3.101.110":             "an X25519",
	"1.3.101.111":             "an X448",
	"1.3.101.112":             "an Ed25519",
	"1.3.101.113":             "an Ed448",
	"1.2.840.10045.2.1":       "an ECDSA",
	"1.2.840.10040.4.1":       "a DSA",
	"1.2.840.113549.1.3.1":    "a Diffie-Hellman",
	"2.16.840.1.101.3.4.3.17": "an ML-DSA",
	"2.16.840.1.101.3.4.3.18": "an ML-DSA",
	"2.16.840.1.101.3.4.3.19": "an ML-DSA",
}

// errPSS is the answer to a key that OpenSSL has made for signatures. The numbers are those of any RSA key.
var errPSS = errors.New("private_key is an RSA-PSS key, which is for signatures only; make an ordinary RSA key of it with: " +
	"openssl rsa -in key.pem -traditional | sed 's/RSA-PSS/RSA/' > new.pem")

// pkcs8Info is PrivateKeyInfo of RFC 5208 as far as it is looked at.
type pkcs8Info struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue `asn1:"optional"`
	PublicKey  asn1.RawValue `asn1:"optional"`
}

// otherAlgorithm says of PKCS#8 that is readable and holds no RSA key what it holds; nil for all else.
func otherAlgorithm(der []byte) error {
	var info pkcs8Info
	if !decodes(der, &info) {
		return nil
	}
	switch oid := info.Algorithm.Algorithm; {
	case oid.Equal(oidRSA):
		return nil
	case oid.Equal(oidRSAPSS):
		return errPSS
	case algorithms[oid.String()] != "":
		return notRSA(algorithms[oid.String()])
	}
	return notRSA("another kind of")
}

func decodes(der []byte, into any) bool {
	_, err := asn1.Unmarshal(der, into)
	return err == nil
}

// derLabel is the PEM label of a key, certificate or public key in DER; "" for anything else.
func derLabel(raw []byte) string {
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &whole); err != nil || len(rest) > 0 || whole.Tag != asn1.TagSequence {
		return ""
	}
	var tags []int
	var first asn1.RawValue
	for rest := whole.Bytes; len(rest) > 0; {
		var element asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &element); err != nil {
			return ""
		}
		if tags = append(tags, element.Tag); len(tags) == 1 {
			first = element
		}
	}
	begins := func(want ...int) bool {
		if len(tags) < len(want) {
			return false
		}
		for i := range want {
			if tags[i] != want[i] {
				return false
			}
		}
		return true
	}
	small := first.Tag == asn1.TagInteger && len(first.Bytes) == 1 && first.Bytes[0] <= 1
	switch {
	case small && begins(asn1.TagInteger, asn1.TagSequence, asn1.TagOctetString):
		return typePKCS8
	case small && len(tags) >= 9 && begins(asn1.TagInteger, asn1.TagInteger):
		return typePKCS1
	case small && len(tags) == 6 && begins(asn1.TagInteger, asn1.TagInteger):
		return "DSA PRIVATE KEY"
	case small && begins(asn1.TagInteger, asn1.TagOctetString):
		return "EC PRIVATE KEY"
	case len(tags) == 2 && begins(asn1.TagSequence, asn1.TagOctetString):
		return typeEncryptedPKCS8
	case len(tags) == 2 && begins(asn1.TagSequence, asn1.TagBitString):
		return "PUBLIC KEY"
	case len(tags) == 2 && begins(asn1.TagInteger, asn1.TagInteger):
		return "RSA PUBLIC KEY"
	case len(tags) == 3 && begins(asn1.TagSequence, asn1.TagSequence, asn1.TagBitString):
		return "CERTIFICATE"
	}
	return ""
}

// openSSHMagic begins the inside of OpenSSH's format (PROTOCOL.key of OpenSSH).
const openSSHMagic = "openssh-key-v1\x00"

// openSSHKinds are the key types of OpenSSH that are not RSA.
var openSSHKinds = []struct{ begins, kind string }{
	{"ssh-ed25519", "an Ed25519"}, {"ssh-dss", "a DSA"}, {"ecdsa-sha2-", "an ECDSA"}, {"sk-", "a FIDO security"}, {"ssh-ed448", "an Ed448"},
}

// otherOpenSSH says of a key in OpenSSH's format, also an encrypted one, that it is no RSA key: the public half
// stands before it in clear.
func otherOpenSSH(block *pem.Block) error {
	rest, ok := bytes.CutPrefix(block.Bytes, []byte(openSSHMagic))
	if !ok {
		return nil
	}
	for range 3 { // cipher, key derivation and its options
		if _, rest, ok = sshString(rest); !ok {
			return nil
		}
	}
	if len(rest) < 4 {
		return nil
	}
	public, _, ok := sshString(rest[4:]) // after the number of keys
	if !ok {
		return nil
	}
	kind, _, ok := sshString(public)
	if !ok {
		return nil
	}
	for _, k := range openSSHKinds {
		if strings.HasPrefix(string(kind), k.begins) {
			return notRSA(k.kind)
		}
	}
	return nil
}

// sshString reads a string of SSH's wire format (RFC 4251).
func sshString(data []byte) (value, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := int(data[0])<<24 | int(data[1])<<16 | int(data[2])<<8 | int(data[3])
	if n < 0 || n > len(data)-4 {
		return nil, nil, false
	}
	return data[4 : 4+n], data[4+n:], true
}
