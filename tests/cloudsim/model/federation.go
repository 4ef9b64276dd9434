package model

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TokenExchange is the audience that Entra proposes for federated identities.
const TokenExchange = "api://AzureADTokenExchange"

// FederatedIdentity lets an application of Azure sign in with another issuer's token in place of a secret.
type FederatedIdentity struct {
	ClientID string `json:"client_id,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Audience string `json:"audience,omitempty"` // default TokenExchange
}

// Assertion is what a token of another issuer says. The world signs such tokens in every issuer's name.
type Assertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"` // default TokenExchange
	// NotBefore and Expires are seconds since 1970; default now, and an hour later.
	NotBefore int64 `json:"nbf"`
	Expires   int64 `json:"exp"`
}

// ErrAssertion says that a text is no token which the world has signed.
var ErrAssertion = errors.New("no token that an issuer has signed")

const (
	assertionLifetime = time.Hour
	assertionHeader   = `{"alg":"RS256","kid":"cloudsim","typ":"JWT"}`
)

// federation is who trusts whom, and the key of all issuers.
type federation struct {
	identities []FederatedIdentity
	key        *rsa.PrivateKey // made when it is first needed
}

// AddFederatedIdentity makes an application trust an issuer's tokens for a subject.
func (w *World) AddFederatedIdentity(f FederatedIdentity) FederatedIdentity {
	defer w.enter()()
	f.Audience = cmp.Or(f.Audience, TokenExchange)
	w.federation.identities = append(w.federation.identities, f)
	return f
}

// FederatedIdentities are those of an application.
func (w *World) FederatedIdentities(client string) []FederatedIdentity {
	defer w.enter()()
	var out []FederatedIdentity
	for _, f := range w.federation.identities {
		if f.ClientID == client {
			out = append(out, f)
		}
	}
	return out
}

// issuerKey is the key that signs assertions.
func (w *World) issuerKey() (*rsa.PrivateKey, error) {
	defer w.enter()()
	if w.federation.key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make the issuers' key: %w", err)
		}
		w.federation.key = key
	}
	return w.federation.key, nil
}

// Assert signs a token as its issuer would.
func (w *World) Assert(a Assertion) (string, error) {
	key, err := w.issuerKey()
	if err != nil {
		return "", err
	}
	a.Audience = cmp.Or(a.Audience, TokenExchange)
	a.NotBefore = cmp.Or(a.NotBefore, w.Now().Unix())
	a.Expires = cmp.Or(a.Expires, w.Now().Add(assertionLifetime).Unix())
	claims, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("write an assertion: %w", err)
	}
	text := encode([]byte(assertionHeader)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	return text + "." + encode(signature), nil
}

// ReadAssertion takes a token apart. It is ErrAssertion if none was signed like that; whether it is still valid, and
// whether anybody trusts its issuer, is the caller's to judge.
func (w *World) ReadAssertion(token string) (Assertion, error) {
	key, err := w.issuerKey()
	if err != nil {
		return Assertion{}, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Assertion{}, ErrAssertion
	}
	raw := make([][]byte, len(parts))
	for i, part := range parts {
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return Assertion{}, ErrAssertion
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !slices.Equal(raw[0], []byte(assertionHeader)) || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw[2]) != nil {
		return Assertion{}, ErrAssertion
	}
	var a Assertion
	if err := json.Unmarshal(raw[1], &a); err != nil {
		return Assertion{}, ErrAssertion
	}
	return a, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
