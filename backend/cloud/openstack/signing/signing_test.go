package signing

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSignatureKnownAnswer recomputes a signature that Huawei's own SDK made.
func TestSignatureKnownAnswer(t *testing.T) {
	vector := readVector(t, "testdata/sdk_hmac_signature.txt")
	path, _, _ := strings.Cut(strings.TrimPrefix(vector["method"], "GET  path: "), " ")
	r, err := http.NewRequest(http.MethodGet, "https://ecs.example.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(headerProject, vector["x-project-id"])
	r.Header.Set(headerDate, vector["x-sdk-date"])
	s := &Transport{Style: Direct}
	got := s.authorization(r, Keys{Access: vector["ak"], Secret: vector["sk"]}, nil, strings.Split(vector["signed headers"], ";"))
	if want := vector["authorization"]; got != want || want == "" {
		t.Errorf("authorization is\n %s, want\n %s", got, want)
	}
}

// readVector reads "name: value" lines.
func readVector(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	vector := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ": "); ok {
			vector[name] = strings.TrimSpace(value)
		}
	}
	return vector
}

// TestScopedSignature follows the derivation step by step: the key is a chain of HMACs over date,
// region, service and a constant, and the scope is a line of what is signed.
func TestScopedSignature(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "https://ecs.eu-de.otc.t-systems.com/v2.1/p/servers", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(headerDate, "20260101T000000Z")
	s := &Transport{Style: Scoped}
	got := s.authorization(r, Keys{Access: "AK", Secret: "SK"}, nil, []string{"host", "x-sdk-date"})

	key := keyedHash(keyedHash(keyedHash(keyedHash([]byte("SDKSK"), "20260101"), ""), ""), "sdk_request")
	canonical := "GET\n/v2.1/p/servers/\n\nhost:ecs.eu-de.otc.t-systems.com\nx-sdk-date:20260101T000000Z\n\nhost;x-sdk-date\n" +
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	sum := keyedHash(key, "SDK-HMAC-SHA256\n20260101T000000Z\n20260101///sdk_request\n"+hexHash([]byte(canonical)))
	want := "SDK-HMAC-SHA256 Credential=AK/20260101///sdk_request, SignedHeaders=host;x-sdk-date, Signature=" + hex.EncodeToString(sum)
	if got != want {
		t.Errorf("authorization is\n %s, want\n %s", got, want)
	}
}

func TestCanonicalParts(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "/",
		"/":                         "/",
		"/v2.1/p/servers":           "/v2.1/p/servers/",
		"/os-keypairs/my key+ü~a.b": "/os-keypairs/my%20key%2B%C3%BC~a.b/",
	} {
		if got := canonicalPath(in); got != want {
			t.Errorf("canonicalPath(%q) = %q, want %q", in, got, want)
		}
	}
	query := url.Values{"marker": {"b c"}, "limit": {"100"}, "a": {"2", "1"}, "a-b": {"0"}}
	if got, want := canonicalQuery(query), "a=1&a=2&a-b=0&limit=100&marker=b%20c"; got != want {
		t.Errorf("canonicalQuery = %q, want %q", got, want)
	}
}

func TestSignerLeavesTheRequestAlone(t *testing.T) {
	var sent *http.Request
	var sentBody []byte
	s := &Transport{
		ProjectID: "p", Style: Direct,
		Now: func() time.Time { return time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)) },
		Next: roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r
			sentBody, _ = io.ReadAll(r.Body)
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
		}),
	}
	r, err := http.NewRequestWithContext(WithKeys(t.Context(), Keys{Access: "AK", Secret: "SK"}), http.MethodPost, "https://ecs.example.com/x",
		bytes.NewReader([]byte(`{"a":1}`)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if len(r.Header) != 0 {
		t.Errorf("the caller's request was changed: %v", r.Header)
	}
	if got := sent.Header.Get(headerDate); got != "20260101T000000Z" {
		t.Errorf("X-Sdk-Date is %q, want the time in UTC", got)
	}
	if string(sentBody) != `{"a":1}` || sent.Header.Get(headerProject) != "p" {
		t.Errorf("body %q and project %q were sent", sentBody, sent.Header.Get(headerProject))
	}
	if !strings.Contains(sent.Header.Get("Authorization"), "SignedHeaders=host;x-project-id;x-sdk-date, ") {
		t.Errorf("host, project and date must be signed: %q", sent.Header.Get("Authorization"))
	}
}

// TestTokenIsSigned: the token of temporary keys goes with the request and into the signature. Without keys nothing is sent.
func TestTokenIsSigned(t *testing.T) {
	var sent *http.Request
	s := &Transport{
		Style: Direct, Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Next: roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
		}),
	}
	signature := map[string]bool{}
	for _, token := range []string{"", "token/one==", "token/two=="} {
		ctx := WithKeys(t.Context(), Keys{Access: "AK", Secret: "SK", Token: token})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://ecs.example.com/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		authorization := sent.Header.Get("Authorization")
		if got := sent.Header.Get("X-Security-Token"); got != token {
			t.Errorf("the token %q was sent for %q", got, token)
		}
		if signed := strings.Contains(authorization, "SignedHeaders=host;x-sdk-date;x-security-token, "); signed != (token != "") {
			t.Errorf("token %q: %s", token, authorization)
		}
		_, sum, _ := strings.Cut(authorization, "Signature=")
		signature[sum] = true
	}
	if len(signature) != 3 {
		t.Errorf("%d signatures of three requests that differ in the token", len(signature))
	}
	sent = nil
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ecs.example.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.RoundTrip(r)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || sent != nil {
		t.Errorf("a request without keys: %v, sent %v", err, sent)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
