package alibabacloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signatureAlgorithm is version 3 of the cloud's signature. The key is the secret itself: nothing is derived from it, and
// no scope is signed (help.aliyun.com/zh/resource-management/common-parameters; darabonba-openapi/v2 v2.1.14).
const signatureAlgorithm = "ACS3-HMAC-SHA256"

// Headers that every request has.
const (
	headerAction  = "X-Acs-Action"
	headerVersion = "X-Acs-Version"
	headerDate    = "X-Acs-Date"
	headerNonce   = "X-Acs-Signature-Nonce"
	headerHash    = "X-Acs-Content-Sha256"
	headerToken   = "X-Acs-Security-Token"
	headerKeyID   = "X-Acs-Accesskey-Id"
)

// signatureDate is the form of the date.
const signatureDate = "2006-01-02T15:04:05Z"

// authorization is the header that signs a request, whose own headers are set: its host, its content type and all that
// begin with x-acs are signed, as are its query and the hash of its body.
func authorization(r *http.Request, k keys) string {
	values := map[string]string{"host": r.Host}
	for name := range r.Header {
		if lower := strings.ToLower(name); lower == "content-type" || strings.HasPrefix(lower, "x-acs-") {
			values[lower] = strings.TrimSpace(r.Header.Get(name))
		}
	}
	names := slices.Sorted(maps.Keys(values))
	var headers strings.Builder
	for _, name := range names {
		headers.WriteString(name + ":" + values[name] + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, canonicalPath(r.URL), canonicalQuery(r.URL.Query()), headers.String(), strings.Join(names, ";"), r.Header.Get(headerHash),
	}, "\n")
	mac := hmac.New(sha256.New, []byte(k.secret))
	mac.Write([]byte(signatureAlgorithm + "\n" + hashOf(canonical)))
	return signatureAlgorithm + " Credential=" + k.id + ",SignedHeaders=" + strings.Join(names, ";") + ",Signature=" +
		hex.EncodeToString(mac.Sum(nil))
}

func canonicalPath(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// canonicalQuery is a query sorted by name.
func canonicalQuery(query url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range slices.Sorted(slices.Values(query[name])) {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(value))
		}
	}
	return strings.Join(pairs, "&")
}

// percentEncode encodes everything but the unreserved characters of RFC 3986.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
