package tencentcloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// Credentials that the fake cloud knows, and a password that must appear in no error. The password
// holds characters that JSON, URLs and base64 write differently.
const (
	testAccessKey = "AKIDEXAMPLE"
	testSecretKey = "SECRET+Example/Key&1"
	testPassword  = `Str0ng<&>"pass\word+`
	testRole      = "qcs::cam::uin/100000000001:roleName/cloudpw"
	testRequestID = "d39d6c09-44e9-4e80-8661-77b5ff3cbc15"
)

// fakeCloud answers the API for tests of single answers. It checks every signature, since the point
// of going through the SDK is that requests are the real ones.
type fakeCloud struct {
	*httptest.Server
	answer func(w http.ResponseWriter, action string, body map[string]any)

	mu       sync.Mutex
	requests []request
}

type request struct {
	action string
	header http.Header
	body   map[string]any
}

func newFakeCloud(t *testing.T, answer func(w http.ResponseWriter, action string, body map[string]any)) *fakeCloud {
	t.Helper()
	f := &fakeCloud{answer: answer}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil || r.Method != http.MethodPost {
		http.Error(w, "want POST with JSON", http.StatusBadRequest)
		return
	}
	action := r.Header.Get("X-TC-Action")
	f.mu.Lock()
	f.requests = append(f.requests, request{action, r.Header.Clone(), body})
	f.mu.Unlock()
	if code := checkSignature(r, raw); code != "" {
		fail(w, code, "The provided credentials could not be validated.")
		return
	}
	f.answer(w, action, body)
}

func (f *fakeCloud) seen() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// checkSignature recomputes TC3-HMAC-SHA256 and returns the error code for a wrong one.
func checkSignature(r *http.Request, body []byte) string {
	stamp := r.Header.Get("X-TC-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > timestampWindow {
		return "AuthFailure.SignatureExpire"
	}
	service := "cvm"
	switch r.Header.Get("X-TC-Action") {
	case "GetCallerIdentity", "AssumeRole":
		service = "sts"
	case "RunCommand", "DescribeInvocationTasks":
		service = "tat"
	}
	want := "TC3-HMAC-SHA256 Credential=" + testAccessKey + "/" + time.Unix(seconds, 0).UTC().Format("2006-01-02") +
		"/" + service + "/tc3_request, SignedHeaders=content-type;host, Signature=" +
		tc3(testSecretKey, service, r.Host, r.Header.Get("Content-Type"), seconds, body)
	got := r.Header.Get("Authorization")
	switch {
	case !strings.Contains(got, "Credential="+testAccessKey+"/"):
		return "AuthFailure.SecretIdNotFound"
	case got != want:
		return "AuthFailure.SignatureFailure"
	}
	return ""
}

// tc3 computes the signature of a POST as the manual describes it.
func tc3(secret, service, host, contentType string, seconds int64, body []byte) string {
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	date := time.Unix(seconds, 0).UTC().Format("2006-01-02")
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + host + "\n\ncontent-type;host\n" + sum(body)
	toSign := fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s/%s/tc3_request\n%s", seconds, date, service, sum([]byte(canonical)))
	key := mac(mac(mac([]byte("TC3"+secret), date), service), "tc3_request")
	return hex.EncodeToString(mac(key, toSign))
}

// fail answers with an API error: HTTP 200, as the cloud does.
func fail(w http.ResponseWriter, code, message string) {
	reply(w, map[string]any{"Error": map[string]string{"Code": code, "Message": message}})
}

// reply answers with the fields of a Response.
func reply(w http.ResponseWriter, fields map[string]any) {
	fields["RequestId"] = testRequestID
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"Response": fields})
}

// testConfig is a valid connection to the endpoint, or to the public cloud if that is "".
func testConfig(t *testing.T, endpoint string) cloud.Config {
	t.Helper()
	client, err := cloud.NewHTTPClient("", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	cfg := cloud.Config{
		Provider: Name, Values: cloud.Values{"region": "ap-guangzhou", "access_key": testAccessKey, "secret_key": testSecretKey},
		RequestTimeout: 10 * time.Second, HTTPClient: client, Limiter: &contract.CountLimiter{},
	}
	if endpoint != "" {
		cfg.Endpoints = map[string]string{"cvm": endpoint}
	}
	return cfg
}

func newTestProvider(t *testing.T, cfg cloud.Config) *provider {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*provider)
}

// wantKind fails the test unless err has the kind and holds no secret, all along its chain.
func wantKind(t *testing.T, err error, kind cloud.Kind) {
	t.Helper()
	_ = errorOfKind(t, err, kind)
}

// errorOfKind is wantKind for tests that look at more of the error.
func errorOfKind(t *testing.T, err error, kind cloud.Kind) *cloud.Error {
	t.Helper()
	var e *cloud.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is %T, want *cloud.Error of kind %q", err, err, kind)
	}
	if e.Kind != kind {
		t.Fatalf("kind %q, want %q: %v", e.Kind, kind, e)
	}
	all := fmt.Sprintf("%v %+v %#v %v %#v", e, *e, *e, e.Err, e.Err)
	for _, secret := range []string{testPassword, testSecretKey} {
		if strings.Count(text.Line(all, 8000, secret), "[redacted]") > strings.Count(all, "[redacted]") {
			t.Fatalf("the error holds a secret: %s", all)
		}
	}
	return e
}
