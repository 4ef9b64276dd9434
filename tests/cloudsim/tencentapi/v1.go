package tencentapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// requiredV1 are the common parameters that Signature v1 needs beside Action and Version, in the order in
// which they are missed.
var requiredV1 = []string{"Timestamp", "Nonce", "SecretId", "Signature"}

// methodsV1 are the values of SignatureMethod. The page on Signature v1 says that none means HmacSHA1.
var methodsV1 = map[string]func() hash.Hash{"": sha1.New, "HmacSHA1": sha1.New, "HmacSHA256": sha256.New}

// claimV1 reads what a request says of its signature among its parameters.
func (a *arrival) claimV1(r *http.Request, values url.Values) *failure {
	seconds, err := strconv.ParseInt(values.Get("Timestamp"), 10, 64)
	if err != nil {
		return wrongType("Timestamp")
	}
	if _, err := strconv.ParseUint(values.Get("Nonce"), 10, 64); err != nil {
		return wrongType("Nonce")
	}
	method, known := methodsV1[values.Get("SignatureMethod")]
	if !known {
		return fail("InvalidParameterValue", "The value `"+values.Get("SignatureMethod")+
			"` specified in the parameter `SignatureMethod` is not valid.")
	}
	a.claim = claim{
		secretID: values.Get("SecretId"), token: values.Get("Token"), time: time.Unix(seconds, 0),
		verify: func(secret string) bool { return verifyV1(r, values, method, secret) },
	}
	return nil
}

// verifyV1 says whether a request was signed with this secret.
func verifyV1(r *http.Request, values url.Values, method func() hash.Hash, secret string) bool {
	given, err := base64.StdEncoding.DecodeString(values.Get("Signature"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(hosts(r), func(host string) bool {
		m := hmac.New(method, []byte(secret))
		m.Write([]byte(textV1(r, values, host)))
		return hmac.Equal(given, m.Sum(nil))
	})
}

// textV1 is what is signed: method, host and path, and the parameters by name, which are not URL-encoded.
func textV1(r *http.Request, values url.Values, host string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name != "Signature" {
			pairs = append(pairs, name+"="+values.Get(name))
		}
	}
	return r.Method + host + r.URL.Path + "?" + strings.Join(pairs, "&")
}
