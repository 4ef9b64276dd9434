package azure

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

// What the fake cloud knows, and a password that must appear in no error.
const (
	testTenant       = "11111111-2222-3333-4444-555555555555"
	testClient       = "66666666-7777-8888-9999-aaaaaaaaaaaa"
	testSecret       = "Abc8Q~secret.of-the_application.0123456789"
	testSubscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
	testPassword     = `Str0ng<&>"pass\word+`
	testVMID         = "5c0d8a3e-1b7f-4a52-9f0e-6d2b8c4a1e93"
	testOtherID      = "9a9a9a9a-1b7f-4a52-9f0e-6d2b8c4a1e93"
	testRequestID    = "b8981ac4-dc28-4aa7-91a3-04bd0e4ce1e2"
)

// array is a part of an answer, an object of JSON.
type array []any

// asked is a request to ARM as the fake cloud has read it.
type asked struct {
	method, path string
	query        url.Values
	header       http.Header
	body         string
}

// String is method and path without the subscription.
func (a asked) String() string {
	return a.method + " " + strings.TrimPrefix(a.path, "/subscriptions/"+testSubscription)
}

// fakeCloud answers as ARM and as Entra's token endpoint, for tests of single answers.
type fakeCloud struct {
	*httptest.Server
	answer func(r asked) (status int, body any)
	// login answers requests for a token; nil: each gets one, numbered.
	login func(form url.Values) (status int, body any)
	// header is added to answers of ARM.
	header http.Header

	mu       sync.Mutex
	requests []asked
	forms    []url.Values
	// refuse are tokens that ARM does not take.
	refuse map[string]bool
}

func newFakeCloud(t *testing.T, answer func(r asked) (int, any)) *fakeCloud {
	t.Helper()
	f := &fakeCloud{answer: answer, header: http.Header{"X-Ms-Request-Id": {testRequestID}}, refuse: map[string]bool{}}
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
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		f.serveToken(w, r, string(raw))
		return
	}
	q := asked{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone(), string(raw)}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.mu.Lock()
	f.requests = append(f.requests, q)
	bad := bearer == "" || f.refuse[bearer]
	f.mu.Unlock()
	for name, values := range f.header {
		w.Header()[name] = values
	}
	status, body := failureOf(http.StatusUnauthorized, "InvalidAuthenticationToken")
	if !bad {
		status, body = f.answer(q)
	}
	write(w, status, body)
}

// serveToken answers a request for a token.
func (f *fakeCloud) serveToken(w http.ResponseWriter, r *http.Request, raw string) {
	form, err := url.ParseQuery(raw)
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		http.Error(w, "no form", http.StatusBadRequest)
		return
	}
	form.Set("path", r.URL.Path)
	f.mu.Lock()
	f.forms = append(f.forms, form)
	n := len(f.forms)
	f.mu.Unlock()
	if f.login != nil {
		status, body := f.login(form)
		write(w, status, body)
		return
	}
	write(w, http.StatusOK, tokenAnswer(fmt.Sprintf("token-%d", n), 3599))
}

func tokenAnswer(token string, life int) object {
	return object{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}
}

// write writes an answer: a text as it is, anything else as JSON.
func write(w http.ResponseWriter, status int, body any) {
	if page, plain := body.(string); plain {
		w.WriteHeader(status)
		if _, err := io.WriteString(w, page); err != nil {
			return
		}
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if body != nil {
		json.NewEncoder(w).Encode(body)
	}
}

// failureOf is an error answer in ARM's form.
func failureOf(status int, code string) (int, any) {
	return status, object{"error": object{"code": code, "message": "The cloud's reason."}}
}

func (f *fakeCloud) seen() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.requests...)
}

// tokens are the forms by which tokens were asked for.
func (f *fakeCloud) tokens() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]url.Values(nil), f.forms...)
}

func (f *fakeCloud) refuseToken(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse[token] = true
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
		Provider: Name, Values: cloud.Values{"tenant_id": testTenant, "client_id": testClient, "client_secret": testSecret,
			"subscription_id": testSubscription},
		RequestTimeout: 10 * time.Second, HTTPClient: client, Limiter: &contract.CountLimiter{},
	}
	if endpoint != "" {
		cfg.Endpoints = map[string]string{"arm": endpoint, "login": endpoint}
	}
	return cfg
}

// ambientConfig is a connection with the environment's credentials.
func ambientConfig(t *testing.T, endpoint string) cloud.Config {
	t.Helper()
	for _, name := range []string{envTokenFile, envTenantID, envClientID, envAuthority} {
		t.Setenv(name, "")
	}
	cfg := testConfig(t, endpoint)
	cfg.Values = cloud.Values{"subscription_id": testSubscription, "use_ambient_credentials": "true"}
	return cfg
}

func newTestProvider(t *testing.T, cfg cloud.Config) *provider {
	t.Helper()
	p, err := newProvider(cfg, newMetadata())
	if err != nil {
		t.Fatal(err)
	}
	p.poll = time.Millisecond
	return p
}

// answering is a provider whose cloud answers so.
func answering(t *testing.T, answer func(r asked) (int, any)) (*provider, *fakeCloud) {
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
	for _, secret := range []string{testPassword, testSecret, "token-1", testAssertion} {
		if strings.Count(text.Line(all, 8000, secret), "[redacted]") > strings.Count(all, "[redacted]") {
			t.Fatalf("the error holds a secret: %s", all)
		}
	}
	return e
}

// testAssertion is a workload's token.
const testAssertion = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6dmF1bHQifQ.c2lnbmF0dXJlLW9mLXRoZS13b3JrbG9hZA"

// inGroup is the path of a machine.
func inGroup(group, name string) string {
	return "/subscriptions/" + testSubscription + "/resourceGroups/" + group + "/providers/Microsoft.Compute/virtualMachines/" + name
}

// model is a machine as the list of models has it.
func model(id, group, name string, tags object) object {
	return object{
		"id": inGroup(group, name), "name": name, "location": "westeurope", "tags": tags,
		"properties": object{
			"vmId": id, "provisioningState": "Succeeded", "timeCreated": "2026-05-10T09:11:27.5436742+00:00",
			"osProfile": object{"computerName": name, "adminUsername": "azureuser", "allowExtensionOperations": true},
			"storageProfile": object{"osDisk": object{"osType": "Linux", "name": "disk-1"},
				"imageReference": object{"offer": "UbuntuServer", "sku": "18.04-LTS"}},
			"networkProfile": object{"networkInterfaces": array{object{"id": "/x"}}},
		},
	}
}

// seenAt is the machine with what it does.
func seenAt(m object, power, agent string) object {
	properties := object{}
	for name, value := range m["properties"].(object) {
		properties[name] = value
	}
	properties["instanceView"] = object{
		"osName": "ubuntu",
		"vmAgent": object{"vmAgentVersion": "2.7.1.0", "statuses": array{object{
			"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": agent, "message": "Guest Agent is running"}}},
		"statuses": array{
			object{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
			object{"code": "PowerState/" + power, "level": "Info", "displayStatus": "VM " + power},
		},
	}
	out := object{}
	for name, value := range m {
		out[name] = value
	}
	out["properties"] = properties
	return out
}

// paged is one page of a list.
func paged(next string, elements ...any) object {
	out := object{"value": elements}
	if elements == nil {
		out["value"] = array{}
	}
	if next != "" {
		out["nextLink"] = next
	}
	return out
}
