package tencentapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "TC3-HMAC-SHA256"
	// maxSkew is how far X-TC-Timestamp may be from the cloud's clock.
	maxSkew = 5 * time.Minute
)

// signature is what a request says about its own signature.
type signature struct {
	secretID, date, service string
	signed                  []string
	value                   string // hex
	stamp                   string // X-TC-Timestamp
	time                    time.Time
	token                   string
}

// signatureError is what is wrong with the form of a signature, in words for
// the client.
type signatureError string

func (e signatureError) Error() string { return string(e) }

// The cloud's own words, as far as they are known; errService belongs to them.
const (
	notConforming = "The request `Authorization` header does not conform to tencentcloud standards: "

	errNoAuth    = signatureError(notConforming + "it is missing")
	errBadAuth   = signatureError(notConforming + "its form is not valid")
	errTimestamp = signatureError("`X-TC-Timestamp` is no Unix time")
	errDate      = signatureError(notConforming + "`Date` in Credential not valid")
	errService   = signatureError(notConforming + "`Service` in Credential not valid")
	errSigned    = signatureError(notConforming + "`SignedHeaders` must hold content-type and host")
)

// parseSignature reads the Authorization header and what belongs to it.
func parseSignature(r *http.Request) (*signature, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, errNoAuth
	}
	name, rest, _ := strings.Cut(header, " ")
	if name != algorithm {
		return nil, errBadAuth
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[k] = v
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 4 || scope[3] != "tc3_request" || fields["Signature"] == "" {
		return nil, errBadAuth
	}
	s := &signature{
		secretID: scope[0], date: scope[1], service: scope[2], value: fields["Signature"],
		signed: strings.Split(fields["SignedHeaders"], ";"),
		stamp:  r.Header.Get("X-TC-Timestamp"), token: r.Header.Get("X-TC-Token"),
	}
	seconds, err := strconv.ParseInt(s.stamp, 10, 64)
	if err != nil {
		return nil, errTimestamp
	}
	s.time = time.Unix(seconds, 0).UTC()
	switch {
	case s.time.Format(time.DateOnly) != s.date:
		return nil, errDate
	case !slices.Contains(s.signed, "content-type"), !slices.Contains(s.signed, "host"):
		return nil, errSigned
	}
	return s, nil
}

// verify says whether the request was signed with this secret. Clients that
// reach the simulator on a port of its own differ in what they sign as Host:
// the Go SDK signs the port too, the Node SDK does not. Either is accepted.
func (s *signature) verify(r *http.Request, body []byte, secret string) bool {
	given, err := hex.DecodeString(s.value)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(hosts(r), func(host string) bool {
		return hmac.Equal(given, s.expected(r, body, secret, host, false)) || hmac.Equal(given, s.expected(r, body, secret, host, true))
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

// expected computes the signature for a Host. The query of a POST is always empty in it. lower writes the
// headers' values in lower case, as the page on Signature v3 says and the SDKs do not.
func (s *signature) expected(r *http.Request, body []byte, secret, host string, lower bool) []byte {
	var headers strings.Builder
	for _, name := range s.signed {
		value := strings.TrimSpace(r.Header.Get(name))
		if name == "host" {
			value = host
		}
		if lower || name == "x-tc-action" {
			value = strings.ToLower(value)
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	payload := hexSum(body)
	if r.Header.Get("X-TC-Content-SHA256") == "UNSIGNED-PAYLOAD" {
		payload = hexSum([]byte("UNSIGNED-PAYLOAD"))
	}
	query := ""
	if r.Method == http.MethodGet {
		query = r.URL.RawQuery
	}
	canonical := strings.Join([]string{r.Method, "/", query, headers.String(), strings.Join(s.signed, ";"), payload}, "\n")
	toSign := strings.Join([]string{algorithm, s.stamp, s.date + "/" + s.service + "/tc3_request", hexSum([]byte(canonical))}, "\n")
	key := mac(mac(mac([]byte("TC3"+secret), s.date), s.service), "tc3_request")
	return mac(key, toSign)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
