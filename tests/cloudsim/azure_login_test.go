package cloudsim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// entra is a client of the simulated login service.
type entra struct {
	sim   *Sim
	creds Credentials
	// later moves the wall clock, in nanoseconds.
	later *atomic.Int64
}

func newEntra(t *testing.T) *entra {
	t.Helper()
	e := &entra{later: new(atomic.Int64)}
	e.sim = Start(t, Options{Options: model.Options{Now: func() time.Time { return time.Now().Add(time.Duration(e.later.Load())) }}})
	seeded, err := e.sim.Seed(SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e.creds = seeded[model.Azure]
	return e
}

// send sends a request and reads the answer, which has to be JSON. It returns the status and the header.
func (e *entra) send(t *testing.T, client *http.Client, r *http.Request, into any) (int, http.Header) {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v: %s", r.URL, err, text)
	}
	return resp.StatusCode, resp.Header
}

func (e *entra) get(t *testing.T, client *http.Client, url string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := e.send(t, client, r, into)
	return status
}

// entraAnswer is a token, or an error.
type entraAnswer struct {
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	AccessToken string `json:"access_token"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	TraceID     string `json:"trace_id"`
}

// form is a request that is answered; change changes it first.
func (e *entra) form(change url.Values) url.Values {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {e.creds.ClientID}, "client_secret": {e.creds.ClientSecret},
		"scope": {"https://management.core.windows.net//.default openid offline_access profile"},
	}
	for name, values := range change {
		if form[name] = values; len(values) == 0 {
			delete(form, name)
		}
	}
	return form
}

func (e *entra) token(t *testing.T, tenant string, change url.Values) (int, entraAnswer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.sim.URL(model.Azure, "login")+"/"+tenant+"/oauth2/v2.0/token",
		strings.NewReader(e.form(change).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out entraAnswer
	status, header := e.send(t, http.DefaultClient, r, &out)
	if header.Get("X-Ms-Request-Id") == "" || !strings.Contains(header.Get("Cache-Control"), "no-store") {
		t.Errorf("header %v", header)
	}
	return status, out
}

// refused is the code with which ARM refuses a token, "" if it takes it.
func (e *entra) refused(t *testing.T, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.sim.URL(model.Azure, "arm")+"/subscriptions/"+
		e.creds.SubscriptionID+"/providers/Microsoft.Compute/virtualMachines?api-version=2023-03-01", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	var out struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if status, _ := e.send(t, http.DefaultClient, r, &out); status != http.StatusUnauthorized {
		return ""
	}
	return out.Error.Code
}

func TestAzureGivesTokens(t *testing.T) {
	e := newEntra(t)
	for _, c := range []struct {
		name, tenant string
		change       url.Values
	}{
		{"a secret", e.creds.TenantID, nil},
		{"the tenant in capitals", strings.ToUpper(e.creds.TenantID), nil},
		{"the tenant's domain", "demo-azure.onmicrosoft.com", nil},
		{"one slash", e.creds.TenantID, url.Values{"scope": {"https://management.azure.com/.default"}}},
		{"another cloud's resource", e.creds.TenantID, url.Values{"scope": {"https://management.core.chinacloudapi.cn//.default"}}},
	} {
		status, got := e.token(t, c.tenant, c.change)
		if status != http.StatusOK || got.TokenType != "Bearer" || got.ExpiresIn != 3599 || got.AccessToken == "" {
			t.Errorf("%s: %d %+v", c.name, status, got)
		}
		if code := e.refused(t, got.AccessToken); code != "" {
			t.Errorf("%s: ARM refuses the token: %s", c.name, code)
		}
	}
}

func TestAzureRefusesToGiveTokens(t *testing.T) {
	e := newEntra(t)
	w := e.sim.World()
	other := w.AddAccount(model.Account{Cloud: model.Azure, Name: "other"})
	expired := w.AddAccessKey(model.AccessKey{
		Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Expires: time.Now().Add(-time.Hour),
	})
	disabled := w.AddAccessKey(model.AccessKey{Cloud: model.Azure, AccountID: e.creds.SubscriptionID, Inactive: true})
	for _, c := range []struct {
		name, tenant string
		change       url.Values
		status       int
		code         string
		number       int
	}{
		{"no grant type", "", url.Values{"grant_type": nil}, 400, "invalid_request", 900144},
		{"another grant type", "", url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type", 70003},
		{"no such tenant", "11111111-2222-3333-4444-555555555555", nil, 400, "invalid_request", 90002},
		{"no such domain", "nobody.onmicrosoft.com", nil, 400, "invalid_request", 90002},
		{"no tenant's form", "nobody", nil, 400, "invalid_request", 900023},
		{"no client", "", url.Values{"client_id": nil}, 400, "invalid_request", 900144},
		{"an unknown client", "", url.Values{"client_id": {"11111111-2222-3333-4444-555555555555"}}, 400, "unauthorized_client", 700016},
		{"another tenant's client", other.TenantID, nil, 400, "unauthorized_client", 700016},
		{"a disabled client", "", url.Values{"client_id": {disabled.ID}}, 401, "unauthorized_client", 7000112},
		{"a wrong secret", "", url.Values{"client_secret": {e.creds.ClientSecret + "x"}}, 401, "invalid_client", 7000215},
		{"an expired secret", "", url.Values{"client_id": {expired.ID}, "client_secret": {expired.Secret}}, 401, "invalid_client", 7000222},
		{"no secret", "", url.Values{"client_secret": nil}, 401, "invalid_client", 7000216},
		{"no scope", "", url.Values{"scope": nil}, 400, "invalid_request", 900144},
		{"a scope of a user", "", url.Values{"scope": {"https://management.azure.com/user_impersonation"}}, 400, "invalid_scope", 1002012},
		{"two resources", "", url.Values{"scope": {"https://management.azure.com/.default https://x/.default"}}, 400, "invalid_scope", 1002012},
		{"an unknown resource", "", url.Values{"scope": {"https://127.0.0.1/.default"}}, 400, "invalid_resource", 500011},
	} {
		tenant := c.tenant
		if tenant == "" {
			tenant = e.creds.TenantID
		}
		status, got := e.token(t, tenant, c.change)
		if status != c.status || got.Error != c.code || !slices.Equal(got.Codes, []int{c.number}) || got.AccessToken != "" ||
			!strings.Contains(got.Description, "Trace ID: "+got.TraceID) {
			t.Errorf("%s: %d %+v, want %d %s %d", c.name, status, got, c.status, c.code, c.number)
		}
		if strings.Contains(got.Description, e.creds.ClientSecret) {
			t.Errorf("%s: the description repeats the secret", c.name)
		}
	}
}

func TestAzureTrustsAnotherIssuer(t *testing.T) {
	e := newEntra(t)
	w := e.sim.World()
	const issuer, subject = "https://cluster.example/oidc", "system:serviceaccount:vault:vault"
	w.AddFederatedIdentity(model.FederatedIdentity{ClientID: e.creds.ClientID, Issuer: issuer, Subject: subject})
	ask := func(token string) (int, entraAnswer) {
		return e.token(t, e.creds.TenantID, url.Values{
			"client_secret": nil, "client_assertion": {token},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
	}
	good, err := w.Assert(model.Assertion{Issuer: issuer, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	if status, got := ask(good); status != http.StatusOK || e.refused(t, got.AccessToken) != "" {
		t.Errorf("an assertion that is trusted: %d %+v", status, got)
	}
	now := time.Now().Unix()
	for _, c := range []struct {
		name   string
		says   model.Assertion
		number int
	}{
		{"another issuer", model.Assertion{Issuer: issuer + "/other", Subject: subject}, 700211},
		{"another subject", model.Assertion{Issuer: issuer, Subject: "system:serviceaccount:vault:other"}, 700213},
		{"another audience", model.Assertion{Issuer: issuer, Subject: subject, Audience: "vault"}, 700212},
		{"an expired one", model.Assertion{Issuer: issuer, Subject: subject, NotBefore: now - 7200, Expires: now - 3600}, 700024},
		{"one of the future", model.Assertion{Issuer: issuer, Subject: subject, NotBefore: now + 3600, Expires: now + 7200}, 700024},
	} {
		token, err := w.Assert(c.says)
		if err != nil {
			t.Fatal(err)
		}
		status, got := ask(token)
		if status != http.StatusUnauthorized || got.Error != "invalid_client" || !slices.Equal(got.Codes, []int{c.number}) {
			t.Errorf("%s: %d %+v, want %d", c.name, status, got, c.number)
		}
	}
	parts := strings.Split(good, ".")
	forged, err := w.Assert(model.Assertion{Issuer: issuer, Subject: subject, Audience: "vault"})
	if err != nil {
		t.Fatal(err)
	}
	parts[2] = strings.Split(forged, ".")[2] // of other claims
	for name, c := range map[string]struct {
		token  string
		number int
	}{"no token": {"hello", 50027}, "a wrong signature": {strings.Join(parts, "."), 50013}} {
		if _, got := ask(c.token); !slices.Equal(got.Codes, []int{c.number}) {
			t.Errorf("%s: %+v, want %d", name, got, c.number)
		}
	}
}

// Clients that know no subscription ask which there are: those of the application, and no other's.
func TestAzureListsSubscriptions(t *testing.T) {
	e := newEntra(t)
	other := e.sim.World().AddAccount(model.Account{Cloud: model.Azure, Name: "other", TenantID: e.creds.TenantID})
	_, token := e.token(t, e.creds.TenantID, nil)
	type shown struct {
		ID     string `json:"subscriptionId"`
		Tenant string `json:"tenantId"`
		State  string `json:"state"`
	}
	read := func(path string, into any) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.sim.URL(model.Azure, "arm")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		status, _ := e.send(t, http.DefaultClient, r, into)
		return status
	}
	mine := shown{e.creds.SubscriptionID, e.creds.TenantID, "Enabled"}
	var list struct {
		Value []shown `json:"value"`
	}
	if status := read("/subscriptions?api-version=2019-11-01", &list); status != http.StatusOK || !slices.Equal(list.Value, []shown{mine}) {
		t.Errorf("the list: %d %+v", status, list)
	}
	var one shown
	if status := read("/subscriptions/"+mine.ID+"?api-version=2022-12-01", &one); status != http.StatusOK || one != mine {
		t.Errorf("one's own: %d %+v", status, one)
	}
	for path, want := range map[string]int{
		"/subscriptions/" + other.ID + "?api-version=2022-12-01":                     http.StatusForbidden,
		"/subscriptions/11111111-2222-3333-4444-555555555555?api-version=2022-12-01": http.StatusNotFound,
		"/subscriptions?api-version=2023-03-01":                                      http.StatusBadRequest, // one of Compute's
	} {
		if status := read(path, new(any)); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestAzureTokensEnd(t *testing.T) {
	e := newEntra(t)
	_, got := e.token(t, e.creds.TenantID, nil)
	_, other := e.token(t, e.creds.TenantID, nil)
	if got.AccessToken == other.AccessToken {
		t.Error("two requests got one token")
	}
	e.later.Store(int64(time.Duration(got.ExpiresIn-10) * time.Second))
	if code := e.refused(t, got.AccessToken); code != "" {
		t.Errorf("ten seconds before its end: %s", code)
	}
	e.later.Store(int64(time.Duration(got.ExpiresIn+1) * time.Second))
	if code := e.refused(t, got.AccessToken); code != "ExpiredAuthenticationToken" {
		t.Errorf("after its end: %q", code)
	}
	if n := e.sim.RevokeTokens(model.Azure); n != 2 {
		t.Errorf("%d tokens were revoked, want 2", n)
	}
	if code := e.refused(t, got.AccessToken); code != "InvalidAuthenticationToken" {
		t.Errorf("revoked: %q", code)
	}
}

// The login service meets faults as the clouds do.
func TestAzureLoginMeetsFaults(t *testing.T) {
	e := newEntra(t)
	for _, c := range []struct {
		fault  model.Fault
		status int
		number int
	}{
		{model.Fault{Kind: model.FaultThrottle}, http.StatusTooManyRequests, 90055},
		{model.Fault{Kind: model.FaultServerError}, http.StatusServiceUnavailable, 90033},
		{model.Fault{Kind: model.FaultRefuse, Code: "invalid_client", Message: "AADSTS7000222: gone.", Status: 401}, 401, 7000222},
	} {
		c.fault.Cloud, c.fault.Service, c.fault.Action, c.fault.Count = model.Azure, "login", "token", 1
		if _, err := e.sim.World().AddFault(c.fault); err != nil {
			t.Fatal(err)
		}
		if status, got := e.token(t, e.creds.TenantID, nil); status != c.status || !slices.Equal(got.Codes, []int{c.number}) {
			t.Errorf("%s: %d %+v", c.fault.Kind, status, got)
		}
	}
	if status, _ := e.token(t, e.creds.TenantID, nil); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// Clients that take HTTPS only find everything by it, and what they are told names HTTPS.
func TestAzureOverTLS(t *testing.T) {
	e := newEntra(t)
	info := e.sim.Info()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(info.TLS.CAPEM)) {
		t.Fatal("no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(client.CloseIdleConnections)
	if info.CAPEM != "" {
		t.Error("connections would be given the certificate")
	}
	for cloud, services := range info.Endpoints {
		for service, url := range services {
			if !strings.HasPrefix(url, "http://") {
				t.Errorf("the endpoint %s of %s is %s", service, cloud, url)
			}
		}
	}
	arm, login := info.TLS.Endpoints[model.Azure]["arm"], info.TLS.Endpoints[model.Azure]["login"]
	check := func(client *http.Client, arm, login string) {
		t.Helper()
		var cloud struct {
			ResourceManager string `json:"resourceManager"`
			Authentication  struct {
				LoginEndpoint string   `json:"loginEndpoint"`
				Audiences     []string `json:"audiences"`
			} `json:"authentication"`
		}
		e.get(t, client, arm+"/metadata/endpoints?api-version=2022-09-01", &cloud)
		if cloud.ResourceManager != arm+"/" || cloud.Authentication.LoginEndpoint != login || len(cloud.Authentication.Audiences) != 2 {
			t.Errorf("metadata of %s: %+v", arm, cloud)
		}
		var list []json.RawMessage
		if e.get(t, client, arm+"/metadata/endpoints?api-version=2019-05-01", &list); len(list) != 1 {
			t.Errorf("an older version lists %d clouds", len(list))
		}
		var oldest struct {
			GraphEndpoint string `json:"graphEndpoint"`
		}
		if e.get(t, client, arm+"/metadata/endpoints?api-version=2015-01-01", &oldest); oldest.GraphEndpoint == "" {
			t.Error("the oldest version names no graph")
		}
		if status := e.get(t, client, arm+"/metadata/endpoints", new(any)); status != http.StatusBadRequest {
			t.Errorf("without a version: %d", status)
		}
		var found struct {
			Endpoint string `json:"tenant_discovery_endpoint"`
		}
		e.get(t, client, login+"/common/discovery/instance?api-version=1.1&authorization_endpoint="+
			url.QueryEscape(login+"/"+e.creds.TenantID+"/oauth2/v2.0/authorize"), &found)
		var openID struct {
			Issuer        string `json:"issuer"`
			TokenEndpoint string `json:"token_endpoint"`
			Authorization string `json:"authorization_endpoint"`
		}
		e.get(t, client, found.Endpoint, &openID)
		at := login + "/" + e.creds.TenantID
		if openID.Issuer != at+"/v2.0" || openID.TokenEndpoint != at+"/oauth2/v2.0/token" || openID.Authorization != at+"/oauth2/v2.0/authorize" {
			t.Errorf("%s: %+v", found.Endpoint, openID)
		}
	}
	check(client, arm, login)
	check(http.DefaultClient, info.Endpoints[model.Azure]["arm"], info.Endpoints[model.Azure]["login"])

	for path, want := range map[string]string{
		"/nobody.example/v2.0/.well-known/openid-configuration":                         "invalid_tenant",
		"/common/discovery/instance?authorization_endpoint=https%3A%2F%2Felsewhere%2Fx": "invalid_instance",
	} {
		var got entraAnswer
		if status := e.get(t, client, login+path, &got); status != http.StatusBadRequest || got.Error != want {
			t.Errorf("%s: %d %+v, want %s", path, status, got, want)
		}
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, arm+"/metadata/endpoints", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("a client that does not trust the certificate gets through")
	}
}
