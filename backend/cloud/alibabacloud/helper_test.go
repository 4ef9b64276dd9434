package alibabacloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// Credentials that the fake cloud knows, and a password that must appear in no error.
const (
	testAccessKey = "LTAIEXAMPLE"
	testSecretKey = "SECRET+Example/Key&1"
	testPassword  = `Str0ng<&>"pass\word+`
	testRole      = "acs:ram::1000000000000001:role/cloudpw"
	testInstance  = "i-bp67acfmxazb4p1x2y3z"
	testRegion    = "eu-central-1"
	testRequestID = "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E"
	testAccount   = "1000000000000001"
)

// object is an answer.
type object map[string]any

// fakeCloud answers the API for tests of single answers. It checks every signature, by the words of the cloud's page.
type fakeCloud struct {
	*httptest.Server
	answer func(r request) (status int, body any)
	// queryOnly is set where the cloud does not read forms.
	queryOnly bool

	mu       sync.Mutex
	requests []request
	nonces   map[string]bool
}

// request is one as the fake cloud has read it.
type request struct {
	action, query, host string
	header              http.Header
	params              url.Values
}

func newFakeCloud(t *testing.T, answer func(r request) (int, any)) *fakeCloud {
	t.Helper()
	f := &fakeCloud{answer: answer, nonces: map[string]bool{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// secrets are those of the access keys that the fake cloud knows.
var secrets = map[string]string{testAccessKey: testSecretKey, "STS.temporary": "temporary-secret"}

// ServeHTTP implements http.Handler.
func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	params := r.URL.Query()
	if !f.queryOnly && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if params, err = url.ParseQuery(string(raw)); err != nil {
			http.Error(w, "no form", http.StatusBadRequest)
			return
		}
	}
	q := request{r.Header.Get("x-acs-action"), r.URL.RawQuery, r.Host, r.Header.Clone(), params}
	f.mu.Lock()
	f.requests = append(f.requests, q)
	again := f.nonces[r.Header.Get("x-acs-signature-nonce")]
	f.nonces[r.Header.Get("x-acs-signature-nonce")] = true
	f.mu.Unlock()
	var status int
	var body any
	switch {
	case again:
		status, body = failure(http.StatusBadRequest, "SignatureNonceUsed")
	case !signed(r, string(raw)):
		status, body = failure(http.StatusBadRequest, "SignatureDoesNotMatch")
	case f.queryOnly && params.Get("RegionId") == "" && q.action != "GetCallerIdentity":
		status, body = http.StatusBadRequest, object{"RequestId": testRequestID, "Code": "MissingRegionId",
			"Message": "RegionId is mandatory for this action."}
	default:
		status, body = f.answer(q)
	}
	if page, plain := body.(string); plain {
		w.WriteHeader(status)
		if _, err := io.WriteString(w, page); err != nil {
			return
		}
		return
	}
	if fields, ok := body.(object); ok && fields["RequestId"] == nil {
		fields["RequestId"] = testRequestID
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// failure is an error answer.
func failure(status int, code string) (int, any) {
	return status, object{"Code": code, "Message": "The cloud's reason."}
}

func (f *fakeCloud) seen() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// actions are those of the requests, in their order.
func (f *fakeCloud) actions() string {
	var names []string
	for _, r := range f.seen() {
		names = append(names, r.action)
	}
	return strings.Join(names, " ")
}

// signed recomputes the signature of a request.
func signed(r *http.Request, body string) bool {
	id, names := between(r.Header.Get("Authorization"), "Credential=", ","), between(r.Header.Get("Authorization"), "SignedHeaders=", ",")
	var headers string
	for name := range strings.SplitSeq(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers += name + ":" + value + "\n"
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") && !strings.Contains(names, name) {
			return false
		}
	}
	if !strings.HasPrefix(names, "content-type;host;") && !strings.HasPrefix(names, "host;") ||
		r.Header.Get("x-acs-content-sha256") != hashOf(body) {
		return false
	}
	// The client writes the query as it is signed.
	canonical := "POST\n/\n" + r.URL.RawQuery + "\n" + headers + "\n" + names + "\n" + hashOf(body)
	want := hmacHex(secrets[id], "ACS3-HMAC-SHA256\n"+hashOf(canonical))
	return strings.HasSuffix(r.Header.Get("Authorization"), ",Signature="+want)
}

func between(s, from, to string) string {
	_, rest, _ := strings.Cut(s, from)
	part, _, _ := strings.Cut(rest, to)
	return part
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
		Provider: Name, Values: cloud.Values{"region": testRegion, "access_key": testAccessKey, "secret_key": testSecretKey},
		RequestTimeout: 10 * time.Second, HTTPClient: client, Limiter: &contract.CountLimiter{},
	}
	if endpoint != "" {
		cfg.Endpoints = map[string]string{"ecs": endpoint, "sts": endpoint, "ram": endpoint}
	}
	return cfg
}

func newTestProvider(t *testing.T, cfg cloud.Config) *provider {
	t.Helper()
	p, err := newProvider(cfg, newAmbient())
	if err != nil {
		t.Fatal(err)
	}
	p.poll = time.Millisecond
	return p
}

// answering is a provider whose cloud answers so.
func answering(t *testing.T, answer func(r request) (int, any)) (*provider, *fakeCloud) {
	t.Helper()
	f := newFakeCloud(t, answer)
	return newTestProvider(t, testConfig(t, f.URL)), f
}

// errorOfKind fails the test unless err has the kind and holds no secret, all along its chain.
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
