// Package signing signs requests with an access key by SDK-HMAC-SHA256, as Huawei Cloud and clouds of its kind want them.
// It knows nothing else of these clouds.
package signing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The two styles of SDK-HMAC-SHA256; see [Transport].
const (
	Direct = "direct"
	Scoped = "scoped"
)

const (
	signatureAlgorithm  = "SDK-HMAC-SHA256"
	signatureTimeFormat = "20060102T150405Z"
	signatureDateLength = len("20060102")
	scopeEnd            = "sdk_request"

	headerDate    = "X-Sdk-Date"
	headerProject = "X-Project-Id"
	// HeaderDomain names the domain of a request to the identity service. It is signed where it is set.
	HeaderDomain = "X-Domain-Id"
	// headerToken brings the token of temporary keys. Huawei's SDKs sign it with all other headers.
	headerToken = "X-Security-Token"
)

// Keys sign requests. Token belongs to temporary ones; permanent ones have none.
type Keys struct{ Access, Secret, Token string }

type keysOf struct{}

// WithKeys is a context whose requests a [Transport] signs with these keys.
func WithKeys(ctx context.Context, k Keys) context.Context {
	return context.WithValue(ctx, keysOf{}, k)
}

// errNoKeys is for a request that nothing was given to sign with. It is not sent.
var errNoKeys = errors.New("no keys to sign the request with")

// Transport is a RoundTripper that signs each request, at the moment it is sent, with the keys of the request's
// context (see [WithKeys]): temporary ones are others after an hour.
//
// The two styles of SDK-HMAC-SHA256 share the canonical request. [Direct], Huawei's own, signs it
// with the secret key itself; [Scoped], that of OTC's Go SDK, derives a key from the secret key and
// a scope of date, region and service. OTC's SDK leaves region and service empty, so that is the
// scope which the cloud is known to accept, and the one sent here.
//
// Signed are the host, so that a signature is of no use elsewhere, the date, the token of temporary keys, and the
// project or the domain; the query and the body are always part of what is signed.
type Transport struct {
	ProjectID string // empty for the identity service, which knows domains instead
	Style     string // Direct or Scoped
	Next      http.RoundTripper
	Now       func() time.Time
}

// RoundTrip implements http.RoundTripper. The request it is given stays unchanged.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	keys, given := r.Context().Value(keysOf{}).(Keys)
	if !given {
		return nil, errNoKeys
	}
	signed := r.Clone(r.Context())
	if body != nil {
		signed.Body = io.NopCloser(bytes.NewReader(body))
	}
	if t.ProjectID != "" {
		signed.Header.Set(headerProject, t.ProjectID)
	}
	signed.Header.Set(headerDate, t.Now().UTC().Format(signatureTimeFormat))
	if keys.Token != "" {
		signed.Header.Set(headerToken, keys.Token)
	}
	headers := []string{"host"}
	for _, name := range []string{HeaderDomain, headerProject, headerDate, headerToken} {
		if signed.Header.Get(name) != "" {
			headers = append(headers, strings.ToLower(name))
		}
	}
	signed.Header.Set("Authorization", t.authorization(signed, keys, body, headers))
	return t.Next.RoundTrip(signed)
}

// bodyOf reads the request's body and closes it, as a RoundTripper must.
func bodyOf(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the body to sign it: %w", err)
	}
	return body, nil
}

// authorization computes the Authorization header for a request that carries X-Sdk-Date. headers
// are the names to sign, in lower case and sorted.
func (t *Transport) authorization(r *http.Request, keys Keys, body []byte, headers []string) string {
	stamp := r.Header.Get(headerDate)
	names := strings.Join(headers, ";")
	hash := hexHash([]byte(canonicalRequest(r, body, headers)))
	if t.Style == Scoped {
		date := stamp[:signatureDateLength]
		scope := strings.Join([]string{date, "", "", scopeEnd}, "/")
		key := []byte("SDK" + keys.Secret)
		for _, part := range []string{date, "", "", scopeEnd} {
			key = keyedHash(key, part)
		}
		sum := keyedHash(key, strings.Join([]string{signatureAlgorithm, stamp, scope, hash}, "\n"))
		return fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%x", signatureAlgorithm, keys.Access, scope, names, sum)
	}
	sum := keyedHash([]byte(keys.Secret), strings.Join([]string{signatureAlgorithm, stamp, hash}, "\n"))
	return fmt.Sprintf("%s Access=%s, SignedHeaders=%s, Signature=%x", signatureAlgorithm, keys.Access, names, sum)
}

// canonicalRequest writes the request in the one form that both sides hash.
func canonicalRequest(r *http.Request, body []byte, headers []string) string {
	var lines strings.Builder
	for _, name := range headers {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
			if value == "" {
				value = r.URL.Host
			}
		}
		lines.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	return strings.Join([]string{
		r.Method,
		canonicalPath(r.URL.Path),
		canonicalQuery(r.URL.Query()),
		lines.String(),
		strings.Join(headers, ";"),
		hexHash(body),
	}, "\n")
}

// canonicalPath percent-encodes each segment of a decoded path and ends it in a slash.
func canonicalPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = percentEncode(segment)
	}
	encoded := strings.Join(segments, "/")
	if !strings.HasSuffix(encoded, "/") {
		encoded += "/"
	}
	return encoded
}

// canonicalQuery sorts by name, then by value.
func canonicalQuery(query url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range slices.Sorted(slices.Values(query[name])) {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(value))
		}
	}
	return strings.Join(pairs, "&")
}

// percentEncode encodes everything but the unreserved characters of RFC 3986. url.QueryEscape writes
// a blank as "+", which the clouds do not.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func keyedHash(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
