package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
)

// maxIterations bounds the work factor of an encrypted key: hundreds of times
// what openssl and its kin write (2048 to 600,000 rounds at the time of
// writing), and still only a few seconds of one processor.
const maxIterations = 5_000_000

// Object identifiers of RFC 8018 (PKCS#5 v2.1), appendix A to C.
var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// prfs are the pseudo-random functions of PBKDF2, by object identifier: HMAC
// with SHA-1, SHA-256, SHA-384 and SHA-512.
var prfs = map[string]func() hash.Hash{
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// aesKeyBytes are the key lengths, in bytes, of AES-CBC by object identifier.
var aesKeyBytes = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// encryptedKeyInfo is EncryptedPrivateKeyInfo of RFC 5958.
type encryptedKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2Params is PBES2-params of RFC 8018.
type pbes2Params struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

// pbkdf2Params is PBKDF2-params of RFC 8018 with an explicit salt.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// decryptPKCS8 opens a PKCS#8 key encrypted with PBES2. It returns
// errUnreadableKey for damaged DER, ErrEncryption for algorithms that it does
// not know, and ErrPassphraseWrong when what comes out is no key.
func decryptPKCS8(der, passphrase []byte) (any, error) {
	var info encryptedKeyInfo
	if !unmarshalWhole(der, &info) {
		return nil, errUnreadableKey
	}
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, ErrEncryption
	}
	var params pbes2Params
	if !unmarshalWhole(info.Algorithm.Parameters.FullBytes, &params) {
		return nil, errUnreadableKey
	}
	keyBytes, ok := aesKeyBytes[params.Cipher.Algorithm.String()]
	if !ok {
		return nil, ErrEncryption
	}
	key, err := deriveKey(params.KDF, passphrase, keyBytes)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	clearText, err := decryptAESCBC(key, params.Cipher.Parameters.FullBytes, info.Data)
	if err != nil {
		return nil, err
	}
	defer clear(clearText)
	parsed, err := x509.ParsePKCS8PrivateKey(clearText)
	if err != nil {
		return nil, ErrPassphraseWrong
	}
	return parsed, nil
}

// deriveKey runs PBKDF2 as the key file describes it.
func deriveKey(kdf pkix.AlgorithmIdentifier, passphrase []byte, keyBytes int) ([]byte, error) {
	if !kdf.Algorithm.Equal(oidPBKDF2) {
		return nil, ErrEncryption
	}
	var params pbkdf2Params
	if !unmarshalWhole(kdf.Parameters.FullBytes, &params) {
		return nil, errUnreadableKey
	}
	newHash := sha1.New // the default of RFC 8018, where the field is left out
	if len(params.PRF.Algorithm) > 0 {
		var ok bool
		if newHash, ok = prfs[params.PRF.Algorithm.String()]; !ok {
			return nil, ErrEncryption
		}
	}
	if params.Iterations < 1 || params.KeyLength != 0 && params.KeyLength != keyBytes {
		return nil, errUnreadableKey
	}
	if params.Iterations > maxIterations {
		return nil, ErrEncryption
	}
	key, err := pbkdf2.Key(newHash, string(passphrase), params.Salt, params.Iterations, keyBytes)
	if err != nil {
		return nil, ErrEncryption
	}
	return key, nil
}

// decryptAESCBC decrypts and removes the padding of RFC 8018 section 6.1.1.
func decryptAESCBC(key, ivDER, data []byte) ([]byte, error) {
	var iv []byte
	if !unmarshalWhole(ivDER, &iv) || len(iv) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errUnreadableKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrEncryption
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	padding := int(out[len(out)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, ErrPassphraseWrong
	}
	for _, b := range out[len(out)-padding:] {
		if int(b) != padding {
			return nil, ErrPassphraseWrong
		}
	}
	return out[:len(out)-padding], nil
}

// unmarshalWhole decodes DER that must end where the value ends.
func unmarshalWhole(der []byte, value any) bool {
	rest, err := asn1.Unmarshal(der, value)
	return err == nil && len(rest) == 0
}
