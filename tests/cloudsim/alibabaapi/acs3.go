package alibabaapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const (
	algorithm = "ACS3-HMAC-SHA256"
	// maxSkew is how far x-acs-date may be from the cloud's clock.
	maxSkew = 15 * time.Minute
)

// signature is what a request says about its own signature.
type signature struct {
	keyID, token string
	signed       []string
	value        string // hex
	nonce        string
	time         time.Time
}

// nonce is a number used once by a key.
type nonce struct{ key, value string }

// incomplete refuses a signature that lacks something. The code is that of the list of common errors; what a V3
// signature gets is unconfirmed.
func incomplete(why string) *failure {
	return fail(http.StatusBadRequest, "IncompleteSignature", "The request signature does not conform to Aliyun standards. "+why)
}

// parseSignature reads the Authorization header and what belongs to it.
func parseSignature(r *http.Request) (*signature, *failure) {
	name, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if name != algorithm {
		return nil, incomplete("Authorization must begin with " + algorithm + ".")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[k] = v
	}
	s := &signature{
		keyID: fields["Credential"], value: fields["Signature"], signed: strings.Split(fields["SignedHeaders"], ";"),
		nonce: r.Header.Get("X-Acs-Signature-Nonce"), token: r.Header.Get("X-Acs-Security-Token"),
	}
	switch {
	case s.keyID == "" || s.value == "":
		return nil, incomplete("Authorization needs Credential, SignedHeaders and Signature.")
	case s.nonce == "":
		return nil, missing("SignatureNonce")
	case r.Header.Get("X-Acs-Content-Sha256") == "":
		return nil, incomplete("x-acs-content-sha256 is missing.")
	case !slices.IsSorted(s.signed):
		return nil, incomplete("SignedHeaders are not sorted.")
	}
	var err error
	if s.time, err = time.Parse("2006-01-02T15:04:05Z", r.Header.Get("X-Acs-Date")); err != nil {
		return nil, fail(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	for _, header := range mustSign(r) {
		if !slices.Contains(s.signed, header) {
			return nil, incomplete("SignedHeaders lack " + header + ".")
		}
	}
	return s, nil
}

// mustSign are the headers of a request that its signature has to cover.
func mustSign(r *http.Request) []string {
	out := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			out = append(out, name)
		}
	}
	return out
}

// verify says whether the request was signed with this secret. Clients that reach the simulator on a port of its
// own may differ in what they sign as Host, the port too or not. Either is accepted.
func (s *signature) verify(r *http.Request, query url.Values, body []byte, secret string) bool {
	given, err := hex.DecodeString(s.value)
	sum := hexSum(body)
	if err != nil || subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Acs-Content-Sha256")), []byte(sum)) != 1 {
		return false
	}
	return slices.ContainsFunc(hosts(r), func(host string) bool {
		return hmac.Equal(given, s.expected(r, query, sum, secret, host))
	})
}

// hosts are what a client may have signed as Host.
func hosts(r *http.Request) []string {
	out := []string{r.Host}
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		out = append(out, host)
	}
	return out
}

// expected computes the signature for a Host. The query counts as it is when decoded: a blank in the URL may be a +.
func (s *signature) expected(r *http.Request, query url.Values, sum, secret, host string) []byte {
	var headers strings.Builder
	for _, name := range s.signed {
		value := strings.TrimSpace(r.Header.Get(name))
		if name == "host" {
			value = host
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	canonical := strings.Join([]string{r.Method, "/", canonicalQuery(query), headers.String(), strings.Join(s.signed, ";"), sum}, "\n")
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(algorithm + "\n" + hexSum([]byte(canonical))))
	return h.Sum(nil)
}

// canonicalQuery writes the parameters as the signature has them: sorted, in RFC 3986's encoding.
func canonicalQuery(query url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parts = append(parts, percent(name)+"="+percent(query.Get(name)))
	}
	return strings.Join(parts, "&")
}

func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// authenticate judges a request's signature. The order of the checks is the simulator's own, as none is documented.
func (a *API) authenticate(r *http.Request, in *arrival) (model.AccessKey, *failure) {
	nobody := model.AccessKey{}
	s, f := parseSignature(r)
	if f != nil {
		return nobody, f
	}
	key, exists := a.world.AccessKey(model.AlibabaCloud, s.keyID)
	now := a.world.Now()
	switch {
	case s.time.Before(now.Add(-maxSkew)), s.time.After(now.Add(maxSkew)):
		return nobody, fail(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	case !exists:
		return nobody, fail(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case key.Inactive: // its HTTP status is unconfirmed
		return nobody, fail(http.StatusBadRequest, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	case !s.verify(r, in.query, in.body, key.Secret):
		return nobody, fail(http.StatusBadRequest, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
	}
	if f := judgeToken(key, s.token, now); f != nil {
		return nobody, f
	}
	if !a.takeNonce(nonce{key.ID, s.nonce}, s.time, now) {
		return nobody, fail(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return key, nil
}

// tokenForm is that of the model's tokens; the cloud's is its own affair.
var tokenForm = regexp.MustCompile(`^[0-9a-f]{200}$`)

// judgeToken checks the security token that belongs to a temporary key, and to no other.
func judgeToken(key model.AccessKey, token string, now time.Time) *failure {
	switch {
	case key.Token != "" && token == "":
		return missing("SecurityToken")
	case token != "" && token != key.Token && !tokenForm.MatchString(token):
		return fail(http.StatusBadRequest, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
	case subtle.ConstantTimeCompare([]byte(key.Token), []byte(token)) != 1:
		return fail(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	case !key.Expires.IsZero() && now.After(key.Expires):
		return fail(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return nil
}

// takeNonce remembers a nonce for as long as a request with its date could be accepted; false if it was used.
func (a *API) takeNonce(n nonce, signed, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.pruned) > time.Minute {
		a.pruned = now
		maps.DeleteFunc(a.nonces, func(_ nonce, at time.Time) bool { return at.Before(now.Add(-maxSkew)) })
	}
	if _, used := a.nonces[n]; used {
		return false
	}
	a.nonces[n] = signed
	return true
}
