package password

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
)

// otherKind says what a private key is that no passphrase and no parser makes an RSA key of.
func otherKind(block *pem.Block) error {
	switch block.Type {
	case typePKCS8:
		return otherAlgorithm(block.Bytes)
	case typeOpenSSH:
		return otherOpenSSH(block)
	case "EC PRIVATE KEY":
		return notRSA("an ECDSA")
	case "DSA PRIVATE KEY":
		return notRSA("a DSA")
	case "RSA-PSS PRIVATE KEY":
		return errPSS
	case "SSH2 ENCRYPTED PRIVATE KEY":
		return errors.New("private_key is a key of the SSH.com program; convert it with: ssh-keygen -i -f key.ssh2 > key.pem")
	}
	return nil
}

// Object identifiers of algorithms: RFC 8017, 8410, 5480 and 3279, and NIST's list of its CSOR.
var (
	oidRSA    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
)

// algorithms are those of the keys that are not RSA, by object identifier.
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
