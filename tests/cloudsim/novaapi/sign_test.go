package novaapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
)

// signer is the client's side of SDK-HMAC-SHA256, written apart from the
// verifier so that the two check each other: it shares no helper with it.
type signer struct {
	dialect         Dialect
	access, secret  string
	region, service string
	project         string
	now             func() time.Time
	payloadHeader   bool
	base            http.RoundTripper
}

// RoundTrip signs a clone of the request and sends it.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	signed := r.Clone(r.Context())
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		signed.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.sign(signed, body)
	base := s.base
	if base == nil {
		base = http.DefaultTransport
	}
	return base.RoundTrip(signed)
}

func (s *signer) sign(r *http.Request, body []byte) {
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	stamp := now().UTC().Format("20060102T150405Z")
	r.Header.Del("X-Auth-Token")
	r.Header.Set("X-Sdk-Date", stamp)
	headers := map[string]string{"x-sdk-date": stamp}
	if s.project != "" {
		r.Header.Set("X-Project-Id", s.project)
		headers["x-project-id"] = s.project
	}
	digest := sha256.Sum256(body)
	if s.payloadHeader {
		r.Header.Set("X-Sdk-Content-Sha256", hex.EncodeToString(digest[:]))
		headers["x-sdk-content-sha256"] = hex.EncodeToString(digest[:])
	}
	if s.dialect == DialectScoped {
		headers["host"] = r.URL.Host
	}
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	sort.Strings(names)
	list := strings.Join(names, ";")
	canonical := r.Method + "\n" + pathOf(r.URL) + "\n" + queryOf(r.URL) + "\n"
	for _, name := range names {
		canonical += name + ":" + headers[name] + "\n"
	}
	canonical += "\n" + list + "\n" + hex.EncodeToString(digest[:])
	hashed := sha256.Sum256([]byte(canonical))

	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	if s.dialect == DialectDirect {
		sum := mac([]byte(s.secret), fmt.Sprintf("SDK-HMAC-SHA256\n%s\n%x", stamp, hashed))
		r.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x", s.access, list, sum))
		return
	}
	scope := fmt.Sprintf("%s/%s/%s/sdk_request", stamp[:8], s.region, s.service)
	key := mac(mac(mac(mac([]byte("SDK"+s.secret), stamp[:8]), s.region), s.service), "sdk_request")
	sum := mac(key, fmt.Sprintf("SDK-HMAC-SHA256\n%s\n%s\n%x", stamp, scope, hashed))
	r.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", s.access, scope, list, sum))
}

func pathOf(u *url.URL) string {
	return strings.TrimSuffix(u.EscapedPath(), "/") + "/"
}

func queryOf(u *url.URL) string {
	return strings.ReplaceAll(u.Query().Encode(), "+", "%20")
}
