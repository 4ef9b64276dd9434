package novaapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// vectorField reads "name: value" from the known-answer file.
func vectorField(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/sdk_hmac_signature.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("testdata/sdk_hmac_signature.txt has no field %q", name)
	return ""
}

// signedRequest is a request as a gateway holds it while it verifies it.
type signedRequest struct {
	*http.Request
	body   []byte
	now    time.Time
	secret string
}

func TestKnownAnswerOfTheDirectDialect(t *testing.T) {
	r := httptest.NewRequest("GET", "/v2.1/0123456789abcdef/servers/srv-1/os-server-password", nil)
	r.Header.Set("X-Project-Id", vectorField(t, "x-project-id"))
	r.Header.Set("X-Sdk-Date", vectorField(t, "x-sdk-date"))
	sig, err := parseSDKSignature(vectorField(t, "authorization"))
	if err != nil {
		t.Fatal(err)
	}
	if sig.Dialect != DialectDirect || sig.AccessKey != vectorField(t, "ak") {
		t.Fatalf("parsed as %s, access key %q", sig.Dialect, sig.AccessKey)
	}
	now := time.Date(2026, 1, 1, 0, 14, 59, 0, time.UTC)
	if err := sig.verify(r, nil, vectorField(t, "sk"), now); err != nil {
		t.Errorf("right secret key: %v", err)
	}
	if err := sig.verify(r, nil, "SKOTHER", now); !errors.Is(err, errSignatureMismatch) {
		t.Errorf("wrong secret key: got %v, want %v", err, errSignatureMismatch)
	}
}

func TestKnownAnswersOfTheScopedDialect(t *testing.T) {
	text, err := os.ReadFile("testdata/sdk_hmac_scoped_signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
		ProjectID string `json:"x_project_id"`
		Requests  []struct {
			Method, URL, Body, Authorization string
			Date                             string `json:"x_sdk_date"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Requests) == 0 {
		t.Fatalf("%d requests, %v", len(file.Requests), err)
	}
	for _, c := range file.Requests {
		t.Run(c.Method+" "+c.URL, func(t *testing.T) {
			r := httptest.NewRequest(c.Method, c.URL, nil)
			r.Header.Set("X-Project-Id", file.ProjectID)
			r.Header.Set("X-Sdk-Date", c.Date)
			if c.Body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			now, err := time.Parse("20060102T150405Z", c.Date)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := parseSDKSignature(c.Authorization)
			if err != nil {
				t.Fatal(err)
			}
			if sig.Dialect != DialectScoped || sig.AccessKey != file.AccessKey || sig.Region != "eu-de" {
				t.Errorf("parsed as %+v", sig)
			}
			if err := sig.verify(r, []byte(c.Body), file.SecretKey, now); err != nil {
				t.Errorf("right secret key: %v", err)
			}
			if err := sig.verify(r, []byte(c.Body), "SKOTHER", now); !errors.Is(err, errSignatureMismatch) {
				t.Errorf("wrong secret key: got %v, want %v", err, errSignatureMismatch)
			}
		})
	}
}

func TestVerifierRefusesWhatWasChangedAfterSigning(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for _, dialect := range []Dialect{DialectDirect, DialectScoped} {
		base := signer{dialect: dialect, access: "AK1", secret: "SK1", region: "eu-de", service: "ecs", project: "p1",
			now: func() time.Time { return now }, payloadHeader: true}
		cases := []struct {
			name   string
			change func(r *signedRequest)
			want   error
		}{
			{"nothing changed", func(*signedRequest) {}, nil},
			{"clock 15 minutes ahead", func(r *signedRequest) { r.now = now.Add(15 * time.Minute) }, nil},
			{"clock 15 minutes behind", func(r *signedRequest) { r.now = now.Add(-15 * time.Minute) }, nil},
			{"signed too long ago", func(r *signedRequest) { r.now = now.Add(15*time.Minute + time.Second) }, errSignatureExpired},
			{"signed in the future", func(r *signedRequest) { r.now = now.Add(-15*time.Minute - time.Second) }, errSignatureExpired},
			{"no date", func(r *signedRequest) { r.Header.Del("X-Sdk-Date") }, errSignatureDate},
			{"odd date", func(r *signedRequest) { r.Header.Set("X-Sdk-Date", "2026-05-04T03:02:01Z") }, errSignatureDate},
			{"other method", func(r *signedRequest) { r.Method = "DELETE" }, errSignatureMismatch},
			{"other path", func(r *signedRequest) { r.URL.Path = "/v2.1/p1/servers/other" }, errSignatureMismatch},
			{"other query", func(r *signedRequest) { r.URL.RawQuery = "limit=2&name=a%20b" }, errSignatureMismatch},
			{"other body", func(r *signedRequest) { r.body = []byte(`{"a":2}`) }, errSignaturePayload},
			{"other signed header", func(r *signedRequest) { r.Header.Set("X-Project-Id", "p2") }, errSignatureMismatch},
			{"signed header left out", func(r *signedRequest) { r.Header.Del("X-Project-Id") }, errSignatureHeader},
			{"other secret key", func(r *signedRequest) { r.secret = "SK2" }, errSignatureMismatch},
		}
		for _, c := range cases {
			t.Run(string(dialect)+"/"+c.name, func(t *testing.T) {
				r := &signedRequest{
					Request: httptest.NewRequest("POST", "http://ecs.example/v2.1/p1/servers/a%20b?name=a%20b&limit=1", nil),
					body:    []byte(`{"a":1}`), now: now, secret: "SK1",
				}
				base.sign(r.Request, r.body)
				c.change(r)
				sig, err := parseSDKSignature(r.Header.Get("Authorization"))
				if err != nil {
					t.Fatal(err)
				}
				if err := sig.verify(r.Request, r.body, r.secret, r.now); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		}
	}
}

func TestScopedDialectBindsItsScope(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	r := httptest.NewRequest("GET", "http://ecs.example/v2.1/p1/servers", nil)
	(&signer{dialect: DialectScoped, access: "AK1", secret: "SK1", region: "eu-de", now: func() time.Time { return now }}).sign(r, nil)
	header := r.Header.Get("Authorization")
	for _, c := range []struct {
		name, from, to string
		want           error
	}{
		{"empty service, as OTC's own SDK signs", "", "", nil},
		{"other region", "/eu-de/", "/eu-nl/", errSignatureMismatch},
		{"other service", "//sdk_request", "/ecs/sdk_request", errSignatureMismatch},
		{"other date", "/20260504/", "/20260503/", errSignatureScope},
	} {
		t.Run(c.name, func(t *testing.T) {
			sig, err := parseSDKSignature(strings.Replace(header, c.from, c.to, 1))
			if err != nil {
				t.Fatal(err)
			}
			if err := sig.verify(r, nil, "SK1", now); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestMalformedAuthorizationHeaders(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for name, header := range map[string]string{
		"other scheme":        "AWS4-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=" + sum,
		"no signature":        "SDK-HMAC-SHA256 Access=A, SignedHeaders=host",
		"short signature":     "SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=00",
		"no signed headers":   "SDK-HMAC-SHA256 Access=A, SignedHeaders=, Signature=" + sum,
		"both dialects":       "SDK-HMAC-SHA256 Access=A, Credential=A/20260101/r/s/sdk_request, SignedHeaders=host, Signature=" + sum,
		"no access key":       "SDK-HMAC-SHA256 Access=, SignedHeaders=host, Signature=" + sum,
		"short scope":         "SDK-HMAC-SHA256 Credential=A/20260101/sdk_request, SignedHeaders=host, Signature=" + sum,
		"other end of scope":  "SDK-HMAC-SHA256 Credential=A/20260101/r/s/aws4_request, SignedHeaders=host, Signature=" + sum,
		"field given twice":   "SDK-HMAC-SHA256 Access=A, Access=B, SignedHeaders=host, Signature=" + sum,
		"field without value": "SDK-HMAC-SHA256 Access, SignedHeaders=host, Signature=" + sum,
	} {
		t.Run(name, func(t *testing.T) {
			if sig, err := parseSDKSignature(header); !errors.Is(err, errSignatureForm) {
				t.Errorf("got %+v, %v; want %v", sig, err, errSignatureForm)
			}
		})
	}
}
