package azure

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// tokenFile writes a workload's token and names the file in the environment.
func tokenFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "azure-identity-token")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envTokenFile, name)
	return name
}

// A workload's token is sent in place of a secret, and read again for each token of Entra's.
func TestWorkloadIdentity(t *testing.T) {
	f := newFakeCloud(t, empty)
	cfg := ambientConfig(t, f.URL)
	name := tokenFile(t, testAssertion+"\n")
	t.Setenv(envTenantID, testTenant)
	t.Setenv(envClientID, testClient)
	p := newTestProvider(t, cfg)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	form := f.tokens()[0]
	if form.Get("path") != "/"+testTenant+"/oauth2/v2.0/token" || form.Get("client_id") != testClient || form.Get("client_secret") != "" ||
		form.Get("client_assertion") != testAssertion || form.Get("client_assertion_type") != assertionType {
		t.Errorf("%v", form)
	}
	if err := os.WriteFile(name, []byte(testAssertion+"X"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.refuseToken("token-1")
	_ = errorOfKind(t, p.Verify(t.Context()), cloud.Denied)
	if err := p.Verify(t.Context()); err != nil || f.tokens()[1].Get("client_assertion") != testAssertion+"X" {
		t.Errorf("%v", err)
	}
	// What the connection says comes before the environment.
	cfg.Values = cfg.With(cloud.Values{"tenant_id": "contoso.onmicrosoft.com", "client_id": testVMID})
	if err := newTestProvider(t, cfg).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if form := f.tokens()[2]; form.Get("client_id") != testVMID || form.Get("path") != "/contoso.onmicrosoft.com/oauth2/v2.0/token" {
		t.Errorf("%v", form)
	}
}

func TestWorkloadIdentityThatIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		content, tenant, client, authority string
		own                                bool
		says                               string
	}{
		"no tenant":       {testAssertion, "", testClient, "", true, envTenantID},
		"a wrong tenant":  {testAssertion, "../x", testClient, "", true, envTenantID},
		"no client":       {testAssertion, testTenant, "", "", true, envClientID},
		"a wrong client":  {testAssertion, testTenant, "x", "", true, envClientID},
		"no token":        {"", testTenant, testClient, "", true, "holds no token"},
		"two lines":       {testAssertion + "\n" + testAssertion, testTenant, testClient, "", true, "holds no token"},
		"a large file":    {strings.Repeat("x", maxAssertion+1), testTenant, testClient, "", true, "holds no token"},
		"another login":   {testAssertion, testTenant, testClient, "https://login.evil.example/", false, envAuthority},
		"a login by http": {testAssertion, testTenant, testClient, "http://login.microsoftonline.com/", false, envAuthority},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, empty)
			endpoint := ""
			if c.own {
				endpoint = f.URL
			}
			cfg := ambientConfig(t, endpoint)
			cfg.HTTPClient = &http.Client{Transport: nowhere{t}}
			tokenFile(t, c.content)
			t.Setenv(envTenantID, c.tenant)
			t.Setenv(envClientID, c.client)
			t.Setenv(envAuthority, c.authority)
			e := errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Unavailable)
			if !strings.Contains(e.Message, c.says) {
				t.Error(e)
			}
		})
	}
	cfg := ambientConfig(t, "")
	t.Setenv(envTokenFile, filepath.Join(t.TempDir(), "missing"))
	t.Setenv(envTenantID, testTenant)
	t.Setenv(envClientID, testClient)
	e := errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Unavailable)
	if !strings.Contains(e.Message, "cannot be read") {
		t.Error(e)
	}
}

// nowhere is a transport that must not be used.
type nowhere struct{ t *testing.T }

// RoundTrip implements http.RoundTripper.
func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("a request to %s", r.URL.Host)
	return nil, http.ErrServerClosed
}

// hosts notes where requests go, and answers none.
type hosts struct{ seen *[]string }

// RoundTrip implements http.RoundTripper.
func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	*h.seen = append(*h.seen, r.URL.Scheme+"://"+r.URL.Host)
	return nil, http.ErrServerClosed
}

// The environment may name another of Microsoft's logins than the connection's cloud has.
func TestWorkloadsOwnLogin(t *testing.T) {
	for host, want := range map[string]string{"": "https://login.chinacloudapi.cn",
		"https://login.microsoftonline.us/": "https://login.microsoftonline.us"} {
		cfg := ambientConfig(t, "")
		var seen []string
		cfg.HTTPClient = &http.Client{Transport: hosts{&seen}}
		cfg.Values = cfg.With(cloud.Values{"cloud": "china", "tenant_id": testTenant, "client_id": testClient})
		tokenFile(t, testAssertion)
		t.Setenv(envAuthority, host)
		_ = errorOfKind(t, newTestProvider(t, cfg).Verify(t.Context()), cloud.Unavailable)
		if len(seen) != 1 || seen[0] != want {
			t.Errorf("%q: %v", host, seen)
		}
	}
}

func TestAuthority(t *testing.T) {
	for host, want := range map[string]string{
		"https://login.microsoftonline.com/":              "https://login.microsoftonline.com",
		"https://Login.MicrosoftOnline.us":                "https://login.microsoftonline.us",
		"https://login.chinacloudapi.cn/":                 "https://login.chinacloudapi.cn",
		"https://login.microsoftonline.com.evil.example/": "",
		"login.microsoftonline.com":                       "",
	} {
		if got, ok := authority(host); got != want || ok != (want != "") {
			t.Errorf("%s: %q %t", host, got, ok)
		}
	}
}

// withMetadata is an ambient connection whose metadata service is a test's.
func withMetadata(t *testing.T, cfg cloud.Config, h http.HandlerFunc) *provider {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	m := newMetadata()
	m.url, m.Client = server.URL+"/metadata/identity/oauth2/token", server.Client()
	p, err := newProvider(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The metadata service writes numbers as texts, and tells the end of a token that it has kept.
func TestManagedIdentity(t *testing.T) {
	f := newFakeCloud(t, empty)
	cfg := ambientConfig(t, f.URL)
	var got *http.Request
	serve := func(w http.ResponseWriter, r *http.Request) {
		got = r
		on := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
		fmt.Fprintf(w, `{"access_token":"token-1","client_id":"x","expires_in":"3599","expires_on":"%s","not_before":"1",`+
			`"resource":"https://management.core.windows.net/","token_type":"Bearer"}`, on)
	}
	p := withMetadata(t, cfg, serve)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"api-version": {"2018-02-01"}, "resource": {"https://management.core.windows.net/"}}
	if got.Header.Get("Metadata") != "true" || got.URL.Query().Encode() != want.Encode() ||
		f.seen()[0].header.Get("Authorization") != "Bearer token-1" ||
		len(f.tokens()) != 0 {
		t.Errorf("%s %v", got.URL, got.Header)
	}
	t.Setenv(envClientID, testClient)
	if err := withMetadata(t, cfg, serve).Verify(t.Context()); err != nil || got.URL.Query().Get("client_id") != testClient {
		t.Errorf("%s, %v", got.URL, err)
	}
	cfg.Values = cfg.With(cloud.Values{"client_id": testVMID})
	if err := withMetadata(t, cfg, serve).Verify(t.Context()); err != nil || got.URL.Query().Get("client_id") != testVMID {
		t.Errorf("%s, %v", got.URL, err)
	}
}

func TestManagedIdentityThatIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		kind   cloud.Kind
		says   string
	}{
		"no identity": {400, `{"error":"invalid_request","error_description":"Identity not found"}`, cloud.Denied, "user-assigned"},
		"throttled":   {429, `{"error":"x"}`, cloud.Throttled, "too many requests"},
		"a failure":   {500, `{}`, cloud.Unavailable, "HTTP 500"},
		"a redirect":  {302, ``, cloud.Unavailable, "HTTP 302"},
		"no JSON":     {200, `token`, cloud.Unavailable, "something else"},
		"no token":    {200, `{}`, cloud.Unavailable, "no token"},
	} {
		p := withMetadata(t, ambientConfig(t, ""), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		})
		if e := errorOfKind(t, p.Verify(t.Context()), c.kind); !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// On a machine that is none of Azure's there is no metadata service.
func TestNoMetadataService(t *testing.T) {
	p := withMetadata(t, ambientConfig(t, ""), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_ = errorOfKind(t, p.Verify(t.Context()), cloud.Unavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = errorOfKind(t, p.Verify(ctx), cloud.Unavailable)
	m := newMetadata()
	if !strings.HasPrefix(m.url, "http://169.254.169.254/") {
		t.Error(m.url)
	}
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	m.url = elsewhere.URL
	_, err := tokensOf(ambientConfig(t, ""), m).get(t.Context())
	if e := errorOfKind(t, err, cloud.Unavailable); !strings.Contains(e.Message, "cannot be reached") {
		t.Errorf("the client for the metadata service reaches another address: %v", e)
	}
}
