package awsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	// stampFormat is the form of X-Amz-Date.
	stampFormat = "20060102T150405Z"
	// maxSkew is how far a request's date may be from the cloud's.
	maxSkew = 5 * time.Minute
	// maxPresigned is the longest life of a presigned request.
	maxPresigned = 7 * 24 * time.Hour
)

// signature is what a request says about its own signature.
type signature struct {
	keyID, date, region, service string
	signed                       []string // lower case, as given
	value                        string   // hex
	stamp                        string
	time                         time.Time
	expires                      time.Duration // presigned requests only
	token                        string
	presigned                    bool
}

// signatureError is what is wrong with the form of a signature, in words for
// the client.
type signatureError string

func (e signatureError) Error() string { return string(e) }

const (
	errUnsigned   = signatureError("Request is missing Authentication Token")
	errAlgorithm  = signatureError("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is accepted")
	errIncomplete = signatureError("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters")
	errScope      = signatureError("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request")
	errDate       = signatureError("Date must be in ISO-8601 'basic format' and equal the date of the credential scope")
	errHost       = signatureError("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization")
	errAmzHeader  = signatureError("every X-Amz header must be a 'SignedHeader' in the AWS Authorization")
)

// parseSignature reads the signature of a request, from the Authorization
// header or, for a presigned one, from the query. The errors are texts for
// the client.
func parseSignature(r *http.Request) (*signature, error) {
	s := &signature{}
	var credential string
	header := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case header != "":
		name, rest, _ := strings.Cut(header, " ")
		if name != algorithm {
			return nil, errAlgorithm
		}
		fields := map[string]string{}
		for part := range strings.SplitSeq(rest, ",") {
			k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
			fields[k] = v
		}
		credential, s.value = fields["Credential"], fields["Signature"]
		s.signed = split(fields["SignedHeaders"])
		s.stamp = r.Header.Get("X-Amz-Date")
		s.token = r.Header.Get("X-Amz-Security-Token")
	case query.Has("X-Amz-Signature"):
		if query.Get("X-Amz-Algorithm") != algorithm {
			return nil, errAlgorithm
		}
		s.presigned = true
		credential, s.value = query.Get("X-Amz-Credential"), query.Get("X-Amz-Signature")
		s.signed = split(query.Get("X-Amz-SignedHeaders"))
		s.stamp = query.Get("X-Amz-Date")
		s.token = query.Get("X-Amz-Security-Token")
		seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
		s.expires = time.Duration(seconds) * time.Second
		if err != nil || s.expires <= 0 || s.expires > maxPresigned {
			return nil, errIncomplete
		}
	default:
		return nil, errUnsigned
	}
	if credential == "" || s.value == "" || len(s.signed) == 0 {
		return nil, errIncomplete
	}
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[4] != "aws4_request" {
		return nil, errScope
	}
	s.keyID, s.date, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
	t, err := time.Parse(stampFormat, s.stamp)
	if err != nil || t.Format("20060102") != s.date {
		return nil, errDate
	}
	s.time = t
	return s, s.checkSigned(r)
}

// checkSigned checks that the headers which must be signed are.
func (s *signature) checkSigned(r *http.Request) error {
	if !slices.Contains(s.signed, "host") {
		return errHost
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.signed, name) {
			return errAmzHeader
		}
	}
	return nil
}

// verify says whether the request was signed with this secret.
func (s *signature) verify(r *http.Request, body []byte, secret string) bool {
	toSign := strings.Join([]string{
		algorithm, s.stamp, strings.Join([]string{s.date, s.region, s.service, "aws4_request"}, "/"),
		hexSum(s.canonical(r, body)),
	}, "\n")
	key := mac([]byte("AWS4"+secret), s.date)
	for _, part := range []string{s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	given, err := hex.DecodeString(s.value)
	return err == nil && hmac.Equal(given, mac(key, toSign))
}

// canonical builds the canonical request.
func (s *signature) canonical(r *http.Request, body []byte) string {
	var headers strings.Builder
	for _, name := range s.signed {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	// An X-Amz-Content-Sha256 of UNSIGNED-PAYLOAD is for services that support it, and none here is known to.
	hash := hexSum(string(body))
	return strings.Join([]string{
		r.Method, canonicalPath(r.URL), canonicalQuery(r.URL), headers.String(), strings.Join(s.signed, ";"), hash,
	}, "\n")
}

// headerValue is a header's value in canonical form: several values joined by
// commas, runs of blanks made one.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if r.Header.Get("Content-Length") == "" {
			return strconv.FormatInt(r.ContentLength, 10)
		}
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

// canonicalPath encodes the path as sent once more, as all services but S3 do.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = encode(p)
	}
	return strings.Join(parts, "/")
}

// canonicalQuery sorts and encodes the query, without the signature itself.
func canonicalQuery(u *url.URL) string {
	var pairs []string
	for name, values := range u.Query() {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, encode(name)+"="+encode(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// encode percent-encodes all but the unreserved characters of RFC 3986.
func encode(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%7E", "~")
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ";")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
