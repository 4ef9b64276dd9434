package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	testRegion    = "eu-central-1"
	testRole      = "arn:aws:iam::123456789012:role/cloudpw"
	testAccessKey = "AKIAIOSFODNN7EXAMPLE"
	testSecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testRequestID = "59dbff89-35bd-4eac-99ed-be587EXAMPLE"
)

// fakeEC2 answers the Query protocol over HTTP as EC2 and STS do, and accepts only requests that
// are signed with its key.
type fakeEC2 struct {
	*httptest.Server
	secretKey string

	mu       sync.Mutex
	requests []url.Values
	handle   map[string]func(http.ResponseWriter, url.Values)
}

func newFakeEC2(t *testing.T) *fakeEC2 {
	t.Helper()
	f := &fakeEC2{secretKey: testSecretKey, handle: map[string]func(http.ResponseWriter, url.Values){}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeEC2) on(action string, handler func(http.ResponseWriter, url.Values)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handle[action] = handler
}

func (f *fakeEC2) sent() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fakeEC2) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		fail(w, http.StatusBadRequest, "MalformedQueryString", err.Error())
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, form)
	handler := f.handle[form.Get("Action")]
	f.mu.Unlock()
	if err := f.verify(r, body); err != nil {
		fail(w, http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
		return
	}
	if handler == nil {
		fail(w, http.StatusBadRequest, "InvalidAction", "The action "+form.Get("Action")+" is not valid for this web service.")
		return
	}
	handler(w, form)
}

// verify signs the request once more with the fake's key and compares.
func (f *fakeEC2) verify(r *http.Request, body []byte) error {
	got := r.Header.Get("Authorization")
	var scope, signed string
	for part := range strings.SplitSeq(strings.TrimPrefix(got, "AWS4-HMAC-SHA256 "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "Credential":
			scope = value
		case "SignedHeaders":
			signed = value
		}
	}
	fields := strings.Split(scope, "/")
	if len(fields) != 5 {
		return fmt.Errorf("no credential scope in %q", got)
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	service := "ec2"
	if strings.Contains(string(body), "Action=GetCallerIdentity") || strings.Contains(string(body), "Action=AssumeRole") {
		service = "sts"
	}
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(signed, ";") {
		for _, value := range r.Header.Values(name) {
			again.Header.Add(name, value)
		}
	}
	hash := sha256.Sum256(body)
	credentials := sdk.Credentials{AccessKeyID: testAccessKey, SecretAccessKey: f.secretKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, again, hex.EncodeToString(hash[:]), service, testRegion,
		at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("authorization %q, want %q", got, want)
	}
	return nil
}

// fail answers an error as EC2 does.
func fail(w http.ResponseWriter, status int, code, message string) {
	var text bytes.Buffer
	_ = xml.EscapeText(&text, []byte(message))
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>`, code, text.String(), testRequestID)
}

// failSTS answers an error as STS does.
func failSTS(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
		code, message, testRequestID)
}

// answer writes the body of a successful EC2 answer.
func answer(w http.ResponseWriter, action, inner string) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<%[1]sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>%[2]s</requestId>%[3]s</%[1]sResponse>`, action, testRequestID, inner)
}

// instanceXML is one reservation with one instance, as DescribeInstances prints it.
func instanceXML(id, state, extra string) string {
	return fmt.Sprintf(`<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>%s</instanceId><instanceState><code>0</code><name>%s</name></instanceState>%s</item></instancesSet></item>`,
		id, state, extra)
}

// countingLimiter counts how often each action was waited for.
type countingLimiter struct {
	mu      sync.Mutex
	actions []string
	refuse  error
}

func (l *countingLimiter) Wait(_ context.Context, action string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.actions = append(l.actions, action)
	return l.refuse
}

func (l *countingLimiter) passed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.actions)
}

// testConfig is a connection to a fake by its ec2 endpoint.
func testConfig(t *testing.T, ec2URL string) cloud.Config {
	t.Helper()
	client, err := cloud.NewHTTPClient("", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return cloud.Config{
		Provider:       Name,
		Values:         cloud.Values{"region": testRegion, "access_key": testAccessKey, "secret_key": testSecretKey},
		Endpoints:      map[string]string{endpointEC2: ec2URL},
		RequestTimeout: 10 * time.Second,
		HTTPClient:     client,
		Limiter:        &countingLimiter{},
	}
}

func newTestProvider(t *testing.T, cfg cloud.Config) *Provider {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*Provider)
}
