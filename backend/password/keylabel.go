package password

import "encoding/asn1"

// The labels of the PEM blocks that are read as private keys.
const (
	typePKCS1          = "RSA PRIVATE KEY"
	typePKCS8          = "PRIVATE KEY"
	typeEncryptedPKCS8 = "ENCRYPTED PRIVATE KEY"
	typeOpenSSH        = "OPENSSH PRIVATE KEY"
)

// openSSHMagic begins the inside of OpenSSH's format (PROTOCOL.key of OpenSSH).
const openSSHMagic = "openssh-key-v1\x00"

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
