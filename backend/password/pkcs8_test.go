package password

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// TestDecryptPKCS8Refuses varies a well-formed encrypted key by one field at a
// time. Unvaried it is readable up to the passphrase, which the first case shows.
func TestDecryptPKCS8Refuses(t *testing.T) {
	type parts struct {
		scheme, kdf, cipher, prf asn1.ObjectIdentifier
		params                   pbkdf2Params
		kdfParams, schemeParams  any // instead of what the fields above make
		iv, data                 []byte
	}
	sha256PRF := asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	tests := map[string]struct {
		vary func(*parts)
		want error
	}{
		"nothing but the passphrase":   {func(*parts) {}, ErrPassphraseWrong},
		"explicit key length":          {func(p *parts) { p.params.KeyLength = 32 }, ErrPassphraseWrong},
		"PRF left out means SHA-1":     {func(p *parts) { p.prf = nil }, ErrPassphraseWrong},
		"another scheme":               {func(p *parts) { p.scheme = asn1.ObjectIdentifier{1, 2, 3} }, ErrEncryption},
		"another key derivation":       {func(p *parts) { p.kdf = asn1.ObjectIdentifier{1, 2, 3} }, ErrEncryption},
		"another cipher":               {func(p *parts) { p.cipher = asn1.ObjectIdentifier{1, 2, 3} }, ErrEncryption},
		"another PRF":                  {func(p *parts) { p.prf = asn1.ObjectIdentifier{1, 2, 3} }, ErrEncryption},
		"too many rounds":              {func(p *parts) { p.params.Iterations = maxIterations + 1 }, ErrEncryption},
		"no rounds":                    {func(p *parts) { p.params.Iterations = 0 }, errUnreadableKey},
		"negative rounds":              {func(p *parts) { p.params.Iterations = -1 }, errUnreadableKey},
		"key length of another cipher": {func(p *parts) { p.params.KeyLength = 16 }, errUnreadableKey},
		"scheme without parameters":    {func(p *parts) { p.schemeParams = asn1.NullRawValue }, errUnreadableKey},
		"derivation without any":       {func(p *parts) { p.kdfParams = asn1.NullRawValue }, errUnreadableKey},
		"short IV":                     {func(p *parts) { p.iv = p.iv[:15] }, errUnreadableKey},
		"no IV":                        {func(p *parts) { p.iv = nil }, errUnreadableKey},
		"no data":                      {func(p *parts) { p.data = nil }, errUnreadableKey},
		"data off the block size":      {func(p *parts) { p.data = p.data[:31] }, errUnreadableKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := parts{
				scheme: oidPBES2, kdf: oidPBKDF2, prf: sha256PRF,
				cipher: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42},
				params: pbkdf2Params{Salt: []byte("12345678"), Iterations: 1},
				iv:     make([]byte, 16), data: bytes.Repeat([]byte{0x5a}, 32),
			}
			tt.vary(&p)
			if p.prf != nil {
				p.params.PRF = pkix.AlgorithmIdentifier{Algorithm: p.prf, Parameters: asn1.NullRawValue}
			}
			if p.kdfParams == nil {
				p.kdfParams = p.params
			}
			if p.schemeParams == nil {
				p.schemeParams = pbes2Params{
					KDF:    algorithm(t, p.kdf, p.kdfParams),
					Cipher: algorithm(t, p.cipher, p.iv),
				}
			}
			der := mustMarshal(t, encryptedKeyInfo{Algorithm: algorithm(t, p.scheme, p.schemeParams), Data: p.data})
			if got, err := decryptPKCS8(der, []byte("passphrase")); got != nil || err != tt.want { //nolint:errorlint // The value itself is meant.
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func algorithm(t *testing.T, id asn1.ObjectIdentifier, params any) pkix.AlgorithmIdentifier {
	t.Helper()
	return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: mustMarshal(t, params)}}
}

func mustMarshal(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
