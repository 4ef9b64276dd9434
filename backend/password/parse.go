package password

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyText is the longest text, in bytes, that is parsed as a private key. A
// key of 8192 bits takes less than half of it; more would only buy a hostile
// client a lot of our arithmetic.
const maxKeyText = 16 << 10

// ParsePrivateKey reads an RSA private key of [MinKeyBits] to [MaxKeyBits] bits
// from PEM text: PKCS#1, PKCS#8 or OpenSSH. Other PEM blocks around the one
// private key, such as certificates, are passed over. What can only be meant as
// PEM is taken for it: see pemText.
//
// An encrypted key needs its passphrase: [ErrPassphraseMissing] and
// [ErrPassphraseWrong] say when there is none or the wrong one. Understood are the
// legacy PEM encryption, OpenSSH's own, and PKCS#8 with PBES2 (PBKDF2 and
// AES-CBC, what openssl writes). A passphrase for a key that is not encrypted
// is refused, since it shows that another key was meant. The line break at the
// end of a passphrase's file is left out if the key does not open with it.
//
// All errors are fit for the client that sent the key: they name the field and
// the way out, and contain nothing of the key.
func ParsePrivateKey(text, passphrase []byte) (*PrivateKey, error) {
	block, err := findPrivateKey(text)
	if err != nil {
		return nil, err
	}
	raw, err := openBlock(block, passphrase)
	if err != nil {
		return nil, err
	}
	switch key := raw.(type) {
	case *rsa.PrivateKey:
		return newPrivateKey(key)
	case *ecdsa.PrivateKey:
		return nil, notRSA("an ECDSA")
	case ed25519.PrivateKey, *ed25519.PrivateKey:
		return nil, notRSA("an Ed25519")
	default:
		return nil, notRSA("another kind of")
	}
}

// openBlock is parseBlock, with the passphrase as it was given and else without what a file adds to it.
func openBlock(block *pem.Block, passphrase []byte) (any, error) {
	bare := passphraseText(passphrase)
	if len(bare) == 0 {
		return parseBlock(block, nil)
	}
	key, err := parseBlock(block, passphrase)
	if errors.Is(err, ErrPassphraseWrong) && !bytes.Equal(bare, passphrase) {
		return parseBlock(block, bare)
	}
	return key, err
}

// passphraseText is a passphrase without what editors and shells add to its file: line breaks at the end, a
// byte order mark, and the NULs of UTF-16.
func passphraseText(passphrase []byte) []byte {
	text := string(passphrase)
	if isUTF16(text) {
		text = strings.TrimLeft(strings.ReplaceAll(text, "\x00", ""), "\ufffd")
	}
	return []byte(strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n"))
}

// findPrivateKey picks the one PEM block that holds a private key, or tells what
// was sent instead.
func findPrivateKey(raw []byte) (*pem.Block, error) {
	switch {
	case len(strings.TrimFunc(string(raw), isBlank)) == 0:
		return nil, errors.New("private_key is empty: give an RSA private key in PEM form")
	case len(raw) > maxKeyText:
		return nil, fmt.Errorf("private_key is longer than %d bytes: give the PEM block of the private key alone", maxKeyText)
	}
	text, err := pemText(raw)
	if err != nil {
		return nil, err
	}
	var found *pem.Block
	var others []string
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			others = append(others, block.Type)
		} else if found == nil {
			found = block
		} else {
			return nil, errMoreKeys
		}
	}
	if found == nil {
		return nil, notPrivateKey([]byte(text), others)
	}
	return found, nil
}

// publicKeyPrefixes begin the texts that people take for a private key and that
// are the public half.
var publicKeyPrefixes = []string{"ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-",
	"---- BEGIN SSH2 PUBLIC KEY"}

// notPrivateKey explains what a text without a private key is. blocks are the
// types of its PEM blocks.
func notPrivateKey(text []byte, blocks []string) error {
	hasPrefix := func(prefix string) bool { return bytes.HasPrefix(text, []byte(prefix)) }
	hasType := func(suffix string) bool {
		return slices.ContainsFunc(blocks, func(t string) bool { return strings.HasSuffix(t, suffix) })
	}
	switch {
	case hasType("PUBLIC KEY"), slices.ContainsFunc(publicKeyPrefixes, hasPrefix):
		return errors.New("private_key is a public key: give the private half of the key pair")
	case hasType("CERTIFICATE"), hasType("CERTIFICATE REQUEST"):
		return errors.New("private_key is a certificate: give the private key that belongs to it")
	case len(blocks) > 0:
		return errors.New("private_key holds PEM blocks, but no private key: give a block that begins with -----BEGIN RSA PRIVATE KEY-----, " +
			"-----BEGIN PRIVATE KEY----- or -----BEGIN OPENSSH PRIVATE KEY-----")
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return errors.New("private_key is damaged PEM: it is cut short or its line breaks are lost; use private_key=@key.pem")
	}
	if err := foreignForm(string(text)); err != nil {
		return err
	}
	return errors.New("private_key is not in PEM form: to send a file, write private_key=@key.pem")
}

// parseBlock turns a PEM block into a key of whatever algorithm.
func parseBlock(block *pem.Block, passphrase []byte) (any, error) {
	if err := otherKind(block); err != nil {
		return nil, err
	}
	if !isEncrypted(block) {
		key, err := parseClear(block)
		if err == nil && len(passphrase) > 0 {
			return nil, errPassphraseUnneeded
		}
		return key, err
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseMissing
	}
	// Under strict FIPS 140 the old formats' MD5 panics and the rest is refused
	// piece by piece; one clear answer is better.
	if fips140.Enforced() {
		return nil, ErrEncryptedUnderFIPS
	}
	if block.Type == typeEncryptedPKCS8 {
		return decryptPKCS8(block.Bytes, passphrase)
	}
	return parseEncrypted(block, passphrase)
}

// isEncrypted tells whether a private key needs a passphrase.
func isEncrypted(block *pem.Block) bool {
	switch block.Type {
	case typeEncryptedPKCS8:
		return true
	case typeOpenSSH:
		var missing *ssh.PassphraseMissingError
		_, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
		return errors.As(err, &missing)
	default:
		return strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
	}
}

// parseClear reads a private key that is not encrypted.
func parseClear(block *pem.Block) (any, error) {
	switch block.Type {
	case typePKCS1, typePKCS8, typeOpenSSH:
	default:
		return nil, notRSA("another kind of")
	}
	key, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
	if err != nil {
		return nil, errUnreadableKey
	}
	return key, nil
}

// legacyCiphers are the ciphers of the legacy PEM encryption (RFC 1423) that Go
// can open, as the DEK-Info header names them.
var legacyCiphers = []string{"DES-CBC", "DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC"}

// parseEncrypted reads a private key in the legacy PEM encryption or OpenSSH's.
func parseEncrypted(block *pem.Block, passphrase []byte) (any, error) {
	text := pem.EncodeToMemory(block)
	if text == nil { // a header that PEM can read, but not write
		return nil, errUnreadableKey
	}
	if block.Type != typeOpenSSH {
		cipher, _, _ := strings.Cut(block.Headers["DEK-Info"], ",")
		if !slices.Contains(legacyCiphers, cipher) {
			return nil, ErrEncryption
		}
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	switch {
	case err == nil:
		return key, nil
	case block.Type == typeOpenSSH && !errors.Is(err, x509.IncorrectPasswordError):
		// OpenSSH's format has a check value, so a wrong passphrase shows itself
		// and anything else is a cipher or a cost that is not supported.
		return nil, ErrEncryption
	default:
		// The legacy format has none: one wrong passphrase in 256 survives the
		// padding and turns into noise that fails anywhere in the parser.
		return nil, ErrPassphraseWrong
	}
}
