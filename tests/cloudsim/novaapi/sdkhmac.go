package novaapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dialect names one of the two ways in which Huawei-family clouds write an
// SDK-HMAC-SHA256 Authorization header.
type Dialect string

const (
	// DialectDirect is Huawei Cloud's own: `Access=AK`, and the secret key
	// itself is the HMAC key.
	DialectDirect Dialect = "direct"
	// DialectScoped is that of Open Telekom Cloud's Go SDK:
	// `Credential=AK/yyyymmdd/region/service/sdk_request`, and a key derived
	// from the secret key and that scope.
	DialectScoped Dialect = "scoped"
)

const (
	sdkAlgorithm     = "SDK-HMAC-SHA256"
	sdkTimeFormat    = "20060102T150405Z"
	sdkScopeEnd      = "sdk_request"
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	headerSDKDate    = "X-Sdk-Date"
	headerSDKHash    = "X-Sdk-Content-Sha256"
	headerAuthz      = "Authorization"
	signatureMaxSkew = 15 * time.Minute
)

// Reasons for which a signed request is refused. The gateway answers all of
// them with 401; the text goes into its error_msg.
var (
	errSignatureForm     = errors.New("authorization header is malformed")
	errSignatureDate     = errors.New("X-Sdk-Date is missing or is no yyyymmddThhmmssZ time")
	errSignatureExpired  = errors.New("calc aksk signature fail:signature expired")
	errSignatureScope    = errors.New("credential scope does not fit the request")
	errSignaturePayload  = errors.New("X-Sdk-Content-Sha256 is not the hash of the body")
	errSignatureHeader   = errors.New("a signed header is missing from the request")
	errSignatureMismatch = errors.New("verify aksk signature fail")
)

// sdkSignature is an Authorization header taken apart. Nothing in it has been
// verified yet.
type sdkSignature struct {
	Dialect       Dialect
	AccessKey     string
	Date          string // yyyymmdd, scoped dialect only
	Region        string // scoped dialect only; may be empty
	Service       string // scoped dialect only; OTC's own SDK leaves it empty
	SignedHeaders []string
	Signature     []byte
}

// parseSDKSignature takes an Authorization header apart. The three fields may
// come in any order; an unknown or repeated one is an error.
func parseSDKSignature(header string) (*sdkSignature, error) {
	rest, ok := strings.CutPrefix(header, sdkAlgorithm+" ")
	if !ok {
		return nil, errSignatureForm
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := fields[name]; !found || value == "" || twice {
			return nil, errSignatureForm
		}
		fields[name] = value
	}
	if len(fields) != 3 {
		return nil, errSignatureForm
	}
	sum, err := hex.DecodeString(fields["Signature"])
	if err != nil || len(sum) != sha256.Size || fields["SignedHeaders"] == "" {
		return nil, errSignatureForm
	}
	sig := &sdkSignature{Signature: sum, SignedHeaders: strings.Split(fields["SignedHeaders"], ";")}
	switch {
	case fields["Access"] != "":
		sig.Dialect, sig.AccessKey = DialectDirect, fields["Access"]
	case fields["Credential"] != "":
		scope := strings.Split(fields["Credential"], "/")
		if len(scope) != 5 || scope[0] == "" || scope[4] != sdkScopeEnd {
			return nil, errSignatureForm
		}
		sig.Dialect = DialectScoped
		sig.AccessKey, sig.Date, sig.Region, sig.Service = scope[0], scope[1], scope[2], scope[3]
	default:
		return nil, errSignatureForm
	}
	return sig, nil
}

// verify checks the signature of r, whose body has been read into body, under
// secret. now is the gateway's clock; the request's X-Sdk-Date may differ from
// it by at most 15 minutes (Huawei's request signing guide).
func (s *sdkSignature) verify(r *http.Request, body []byte, secret string, now time.Time) error {
	stamp := r.Header.Get(headerSDKDate)
	signedAt, err := time.Parse(sdkTimeFormat, stamp)
	if err != nil {
		return errSignatureDate
	}
	if skew := now.Sub(signedAt); skew > signatureMaxSkew || skew < -signatureMaxSkew {
		// Worded as users of github.com/huaweicloud/huaweicloud-sdk-java-v3 saw it.
		return fmt.Errorf("%w, signature time:%s,server time:%s", errSignatureExpired, stamp, now.UTC().Format(sdkTimeFormat))
	}
	if s.Dialect == DialectScoped && s.Date != stamp[:8] {
		return errSignatureScope
	}
	for _, form := range s.canonicalForms(r, body) {
		if form.err != nil {
			return form.err
		}
		if hmac.Equal(s.expected(stamp, form.text, secret), s.Signature) {
			return nil
		}
	}
	return errSignatureMismatch
}

// expected computes the signature of one canonical request.
func (s *sdkSignature) expected(stamp, canonical, secret string) []byte {
	hash := hexSHA256([]byte(canonical))
	if s.Dialect == DialectDirect {
		return hmacSHA256([]byte(secret), strings.Join([]string{sdkAlgorithm, stamp, hash}, "\n"))
	}
	key := []byte("SDK" + secret)
	for _, step := range []string{s.Date, s.Region, s.Service, sdkScopeEnd} {
		key = hmacSHA256(key, step)
	}
	scope := strings.Join([]string{s.Date, s.Region, s.Service, sdkScopeEnd}, "/")
	return hmacSHA256(key, strings.Join([]string{sdkAlgorithm, stamp, scope, hash}, "\n"))
}

// canonicalForm is one reading of a request, or why it has none.
type canonicalForm struct {
	text string
	err  error
}

// canonicalForms lists the canonical requests that the dialect allows for r.
// There is one, except for a POST without a body in the scoped dialect: OTC's
// SDK signs its query as if it were the body when the client gave no body, and
// as a query when it gave an empty one, which look the same on the wire.
func (s *sdkSignature) canonicalForms(r *http.Request, body []byte) []canonicalForm {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return []canonicalForm{{err: errSignatureForm}}
	}
	forms := []canonicalForm{s.canonical(r, s.canonicalQuery(query), body)}
	if s.Dialect == DialectScoped && r.Method == http.MethodPost && len(body) == 0 {
		forms = append(forms, s.canonical(r, "", []byte(query.Encode())))
	}
	return forms
}

func (s *sdkSignature) canonical(r *http.Request, query string, body []byte) canonicalForm {
	headers, err := s.canonicalHeaders(r)
	if err != nil {
		return canonicalForm{err: err}
	}
	hash := hexSHA256(body)
	if stated := r.Header.Get(headerSDKHash); stated != "" {
		if stated != unsignedPayload && !strings.EqualFold(stated, hash) {
			return canonicalForm{err: errSignaturePayload}
		}
		hash = stated
	}
	return canonicalForm{text: strings.Join([]string{
		r.Method, canonicalPath(r.URL), query, headers, strings.Join(s.SignedHeaders, ";"), hash,
	}, "\n")}
}

var whiteSpace = regexp.MustCompile(`\s+`)

// canonicalHeaders follows the request's own SignedHeaders list, since the
// clouds' SDKs sign different sets of headers.
func (s *sdkSignature) canonicalHeaders(r *http.Request) (string, error) {
	var out strings.Builder
	for _, name := range s.SignedHeaders {
		values := headerValues(r, name)
		if len(values) == 0 {
			return "", errSignatureHeader
		}
		if s.Dialect == DialectScoped {
			out.WriteString(name + ":" + whiteSpace.ReplaceAllString(values[0], " ") + "\n")
			continue
		}
		slices.Sort(values)
		for _, value := range values {
			out.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
		}
	}
	return out.String(), nil
}

// headerValues also finds what net/http keeps outside the header map.
func headerValues(r *http.Request, name string) []string {
	switch http.CanonicalHeaderKey(name) {
	case "Host":
		return []string{r.Host}
	case "Content-Length":
		return []string{strconv.FormatInt(max(r.ContentLength, 0), 10)}
	}
	return slices.Clone(r.Header.Values(name))
}

// canonicalPath percent-encodes each segment and ends in a slash.
func canonicalPath(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil {
			segments[i] = sdkEscape(plain)
		}
	}
	path := strings.Join(segments, "/")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path
}

// canonicalQuery sorts by name. The direct dialect signs every value of a
// name, sorted; the scoped dialect orders names without regard to case and
// signs the first value only.
func (s *sdkSignature) canonicalQuery(query url.Values) string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if s.Dialect == DialectScoped {
			return strings.Compare(strings.ToLower(sdkEscape(a)), strings.ToLower(sdkEscape(b)))
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, name := range names {
		values := slices.Clone(query[name])
		if s.Dialect == DialectScoped {
			values = values[:1]
		}
		slices.Sort(values)
		for _, value := range values {
			pairs = append(pairs, sdkEscape(name)+"="+sdkEscape(value))
		}
	}
	return strings.Join(pairs, "&")
}

// sdkEscape percent-encodes all but the characters RFC 3986 calls unreserved.
func sdkEscape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			out.WriteByte(c)
		default:
			out.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return out.String()
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
