package model

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

type keyPairID struct {
	cloud   Cloud
	account string
	region  string
	name    string
}

// KeyPair is the public half of a key pair as the cloud knows it.
type KeyPair struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Region    string `json:"region,omitempty"` // "" = all regions of the account
	Name      string `json:"name,omitempty"`
	ID        string `json:"id,omitempty"` // key-… on AWS
	// PublicKey is nil for a pair that is not RSA.
	PublicKey *rsa.PublicKey `json:"-"`
	Type      string         `json:"type,omitempty"` // "rsa" or "ed25519"
	// AuthorizedKey is the public half in authorized_keys form.
	AuthorizedKey string `json:"authorized_key,omitempty"`
	// Fingerprint is what EC2 prints: SHA-1 of the private key in PKCS#8 DER
	// for pairs it made, MD5 of the public key in DER for imported ones.
	Fingerprint string `json:"fingerprint,omitempty"`
	// MD5 is the fingerprint that Nova prints: MD5 of the public key in SSH
	// wire form, with colons.
	MD5     string    `json:"md5,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// ImportKeyPair adds the public half of an RSA key, as if its owner had
// uploaded it.
func (w *World) ImportKeyPair(p KeyPair, pub *rsa.PublicKey) (KeyPair, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return KeyPair{}, fmt.Errorf("key pair %q: %w", p.Name, err)
	}
	sum := md5.Sum(der)
	return w.addKeyPair(p, pub, colons(sum[:]))
}

// CreateKeyPair makes an RSA pair as the cloud would and returns the private
// half as PKCS#1 PEM. bits is the size of the modulus, 2048 for EC2.
func (w *World) CreateKeyPair(p KeyPair, bits int) (KeyPair, string, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return KeyPair{}, "", fmt.Errorf("key pair %q: %w", p.Name, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, "", fmt.Errorf("key pair %q: %w", p.Name, err)
	}
	sum := sha1.Sum(der)
	p, err = w.addKeyPair(p, &key.PublicKey, colons(sum[:]))
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return p, string(pem.EncodeToMemory(block)), err
}

// ImportPEM is ImportKeyPair with a private or public key in PEM form, of
// which only the public half is kept.
func (w *World) ImportPEM(p KeyPair, text string) (KeyPair, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return KeyPair{}, fmt.Errorf("key pair %q: no PEM block; give an RSA key in PEM form", p.Name)
	}
	if pub, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if key, ok := pub.(*rsa.PublicKey); ok {
			return w.ImportKeyPair(p, key)
		}
	}
	key, err := ssh.ParseRawPrivateKey([]byte(text))
	if err != nil {
		return KeyPair{}, fmt.Errorf("key pair %q: neither a public nor a private key in PEM form", p.Name)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return KeyPair{}, fmt.Errorf("key pair %q: not an RSA key", p.Name)
	}
	return w.ImportKeyPair(p, &private.PublicKey)
}

func (w *World) addKeyPair(p KeyPair, pub *rsa.PublicKey, fingerprint string) (KeyPair, error) {
	if p.Name == "" {
		return KeyPair{}, errors.New("key pair: name is empty")
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return KeyPair{}, fmt.Errorf("key pair %q: %w", p.Name, err)
	}
	defer w.enter()()
	if p.ID == "" {
		p.ID = "key-" + w.random(hexDigits, 17)
	}
	if p.Created.IsZero() {
		p.Created = w.opts.Now()
	}
	p.PublicKey, p.Type, p.Fingerprint = pub, "rsa", fingerprint
	p.MD5 = ssh.FingerprintLegacyMD5(key)
	p.AuthorizedKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + p.Name
	w.pairs[keyPairID{p.Cloud, p.AccountID, p.Region, p.Name}] = &p
	return p, nil
}

// KeyPair finds a key pair by name, first in the region, then in all.
func (w *World) KeyPair(c Cloud, account, region, name string) (KeyPair, bool) {
	defer w.enter()()
	return value(w.keyPair(c, account, region, name))
}

func (w *World) keyPair(c Cloud, account, region, name string) *KeyPair {
	if p := w.pairs[keyPairID{c, account, region, name}]; p != nil {
		return p
	}
	return w.pairs[keyPairID{c, account, "", name}]
}

// KeyPairs lists what an account sees in a region, by name.
func (w *World) KeyPairs(c Cloud, account, region string) []KeyPair {
	defer w.enter()()
	byName := map[string]KeyPair{}
	for id, p := range w.pairs {
		if id.cloud == c && id.account == account && (id.region == region || id.region == "") {
			byName[id.name] = *p
		}
	}
	var out []KeyPair
	for _, name := range sortedKeys(byName) {
		out = append(out, byName[name])
	}
	return out
}

// seal encrypts a password as the guest's agent does: RSA PKCS#1 v1.5 under
// the launch key pair, base64 in one line.
func (p *KeyPair) seal(password string) (string, error) {
	//nolint:staticcheck // SA1019: PKCS#1 v1.5 is what the clouds' guests use.
	block, err := rsa.EncryptPKCS1v15(rand.Reader, p.PublicKey, []byte(password))
	if err != nil {
		return "", fmt.Errorf("key pair %q: %w", p.Name, err)
	}
	return base64.StdEncoding.EncodeToString(block), nil
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}
