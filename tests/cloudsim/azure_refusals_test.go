package cloudsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// as is the same simulator with another token.
func (e *azureEnv) as(token string) *azureEnv {
	out := *e
	out.token = token
	return &out
}

func TestAzureRefusesTokens(t *testing.T) {
	e := startAzure(t)
	path := e.compute() + "/virtualMachines"
	for name, c := range map[string]struct {
		token, code string
	}{
		"none":             {"", "AuthenticationFailed"},
		"a made one":       {"moon", "InvalidAuthenticationToken"},
		"with more behind": {e.token + "x", "InvalidAuthenticationToken"},
	} {
		got := e.as(c.token).send(t, http.MethodGet, path, nil)
		got.expect(t, name, http.StatusUnauthorized, c.code)
		if !strings.HasPrefix(got.header.Get("Www-Authenticate"), "Bearer ") {
			t.Errorf("%s: %v", name, got.header)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.sim.URL(model.Azure, "arm")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("user", e.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("another scheme: %d", resp.StatusCode)
	}
	if n := e.sim.RevokeTokens(model.Azure); n == 0 {
		t.Error("no tokens to revoke")
	}
	e.send(t, http.MethodGet, path, nil).expect(t, "revoked", http.StatusUnauthorized, "InvalidAuthenticationToken")
}

func TestAzureRefusesRequests(t *testing.T) {
	e := startAzure(t, noLimits)
	w := e.sim.World()
	foreign := w.AddAccount(model.Account{Cloud: model.Azure, Regions: []string{"westeurope"}})
	sibling := w.AddAccount(model.Account{Cloud: model.Azure, Regions: []string{"westeurope"}, TenantID: e.creds.TenantID})
	list, put := e.compute()+"/virtualMachines", e.command("linux-1", "c")
	in := func(subscription string) string {
		return strings.Replace(list, e.creds.SubscriptionID, subscription, 1)
	}
	elsewhere := strings.Replace(e.vm("linux-1"), "/demo/", "/moon/", 1)
	location := func(where string) string {
		return `{"location":"` + where + `","properties":{"source":{"script":"exit 0"}}}`
	}
	properties := func(text string) string { return `{"location":"westeurope","properties":{` + text + `}}` }
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		"no version":            {"GET", list + "?api-version=", nil, 400, "MissingApiVersionParameter"},
		"an unknown version":    {"GET", list + "?api-version=2023-03-02", nil, 400, "NoRegisteredProviderFound"},
		"Network's version":     {"GET", list + "?api-version=2022-07-01", nil, 400, "NoRegisteredProviderFound"},
		"no subscription":       {"GET", in("00000000-0000-4000-8000-000000000000"), nil, 404, "SubscriptionNotFound"},
		"another tenant's":      {"GET", in(foreign.ID), nil, 401, "InvalidAuthenticationTokenTenant"},
		"without a role":        {"GET", in(sibling.ID), nil, 403, "AuthorizationFailed"},
		"subscription in caps":  {"GET", in(strings.ToUpper(e.creds.SubscriptionID)), nil, 200, ""},
		"an unknown type":       {"GET", list + "Moon", nil, 404, "InvalidResourceType"},
		"an unknown method":     {"POST", list, nil, 405, "HttpMethodNotSupported"},
		"no resource group":     {"GET", elsewhere, nil, 404, "ResourceGroupNotFound"},
		"a PUT in none":         {"PUT", elsewhere + "/runCommands/c", script("exit 0"), 404, "ResourceGroupNotFound"},
		"no VM":                 {"GET", e.vm("moon"), nil, 404, "ResourceNotFound"},
		"a command of no VM":    {"GET", e.command("moon", "c"), nil, 404, "ParentResourceNotFound"},
		"a PUT on no VM":        {"PUT", e.command("moon", "c"), script("exit 0"), 404, "ParentResourceNotFound"},
		"no command":            {"GET", e.command("linux-1", "moon"), nil, 404, "ResourceNotFound"},
		"a PATCH of none":       {"PATCH", e.command("linux-1", "moon"), script("exit 0"), 404, "ResourceNotFound"},
		"a DELETE of none":      {"DELETE", e.command("linux-1", "moon"), nil, 204, ""},
		"no operation":          {"GET", e.compute() + "/locations/westeurope/operations/moon", nil, 404, "NotFound"},
		"another expansion":     {"GET", put + "?$expand=moon", nil, 400, "InvalidParameter"},
		"a filter":              {"GET", list + "?$filter=moon", nil, 400, "InvalidParameter"},
		"no body":               {"PUT", put, nil, 400, "InvalidRequestContent"},
		"no JSON":               {"PUT", put, "moon", 400, "InvalidRequestContent"},
		"two values":            {"PUT", put, location("westeurope") + "{}", 400, "InvalidRequestContent"},
		"another kind":          {"PUT", put, properties(`"timeoutInSeconds":"x"`), 400, "InvalidRequestContent"},
		"an unknown member":     {"PUT", put, properties(`"moon":1`), 400, "BadRequest"},
		"no location":           {"PUT", put, location(""), 400, "LocationRequired"},
		"another location":      {"PUT", put, location("eastus"), 400, "InvalidParameter"},
		"a location's own name": {"PUT", put + "1", location("West Europe"), 201, ""},
		"negative time":         {"PUT", put, properties(`"source":{},"timeoutInSeconds":-1`), 400, "InvalidParameter"},
		"too long a script":     {"PUT", put, script(strings.Repeat("x", 256<<10+1)), 400, "InvalidParameter"},
		"failing deployments":   {"PUT", put, properties(`"treatFailureAsDeploymentFailure":true`), 400, "InvalidParameter"},
		"newer than asked for":  {"PUT", put + "?api-version=2022-11-01", script("exit 0"), 400, "BadRequest"},
		"a bad name":            {"PUT", e.command("linux-1", "a+b"), script("exit 0"), 400, "InvalidParameter"},
	} {
		e.send(t, c.method, c.path, c.body).expect(t, name, c.status, c.code)
	}
	none := e.send(t, http.MethodGet, list+"?api-version=", nil)
	if !bytesContain(none.body, `The api-version query parameter (?api-version=) is required for all requests.`) ||
		none.header.Get("X-Ms-Request-Id") == "" {
		t.Errorf("%v %s", none.header, none.body)
	}
}

// TestAzureRoles shows that a principal without an action is refused before anybody looks whether there is such a thing.
func TestAzureRoles(t *testing.T) {
	e := startAzure(t, noLimits)
	for permission, c := range map[string]struct{ method, path string }{
		"virtualMachines/read":               {"GET", e.compute() + "/virtualMachines"},
		"virtualMachines/instanceView/read":  {"GET", e.vm("moon") + "/instanceView"},
		"virtualMachines/runCommands/read":   {"GET", e.vm("moon") + "/runCommands"},
		"virtualMachines/runCommands/write":  {"PUT", e.command("moon", "c")},
		"virtualMachines/runCommands/delete": {"DELETE", e.command("moon", "c")},
		"locations/operations/read":          {"GET", e.compute() + "/locations/westeurope/operations/moon"},
	} {
		if _, err := e.sim.World().Deny(model.Azure, e.creds.ClientID, []string{"arm:Microsoft.Compute/" + permission}); err != nil {
			t.Fatal(err)
		}
		got := e.send(t, c.method, c.path, script("exit 0"))
		got.expect(t, permission, http.StatusForbidden, "AuthorizationFailed")
		want := fmt.Sprintf(
			"The client '%s' with object id '%s' does not have authorization to perform action 'Microsoft.Compute/%s' over scope '%s'",
			e.creds.ClientID, e.creds.UserID, permission, c.path)
		if !bytesContain(got.body, want) {
			t.Errorf("%s: %s", permission, got.body)
		}
	}
	if _, err := e.sim.World().Deny(model.Azure, e.creds.ClientID, []string{"arm:Microsoft.Network/*/*"}); err != nil {
		t.Fatal(err)
	}
	nics := strings.Replace(e.compute(), "Compute", "Network", 1) + "/networkInterfaces?api-version=2022-07-01"
	e.send(t, http.MethodGet, nics, nil).expect(t, "interfaces", http.StatusForbidden, "AuthorizationFailed")
	e.send(t, http.MethodGet, e.compute()+"/virtualMachines", nil).expect(t, "the rest", http.StatusOK, "")
	// A token outlives its secret.
	e.sim.World().DeleteAccessKey(model.Azure, e.creds.ClientID)
	e.send(t, http.MethodGet, e.compute()+"/virtualMachines", nil).expect(t, "without a secret", http.StatusOK, "")
}

// TestAzureThrottles empties the buckets of one VM, of the subscription and of Resource Manager, and lets them fill again.
func TestAzureThrottles(t *testing.T) {
	limits := azureapi.DefaultLimits()
	limits["HighCostGetSubscription"] = azureapi.Limit{Refill: 6, Size: 2}
	limits["subscription-deletes"] = azureapi.Limit{Refill: 60, Size: 3}
	e := startAzure(t, func(o *azureapi.Options) { o.Limits = limits })
	for n := range 12 {
		got := e.send(t, http.MethodDelete, e.command("linux-1", "c"), nil)
		if n == 3 {
			got.expect(t, "deletes", http.StatusTooManyRequests, "SubscriptionRequestsThrottled")
			if got.header.Get("Retry-After") != "1" || got.header.Get("X-Ms-Ratelimit-Remaining-Subscription-Deletes") != "0" {
				t.Errorf("%v", got.header)
			}
			break
		}
		got.expect(t, "a delete", http.StatusNoContent, "")
	}
	for n := range 9 {
		got := e.put(t, "linux-1", "c", script("exit 0"))
		want := fmt.Sprintf("Microsoft.Compute/UpdateVM;%d,Microsoft.Compute/UpdateVMResource;%d", 1500-3-n-1, 12-3-n-1)
		if got.status >= 300 || got.header.Get("X-Ms-Ratelimit-Remaining-Resource") != want {
			t.Errorf("%d: %d %v, want %s", n, got.status, got.header, want)
		}
	}
	got := e.put(t, "linux-1", "c", script("exit 0"))
	got.expect(t, "one VM's", http.StatusTooManyRequests, "OperationNotAllowed")
	if _, bare := got.code(); bare || got.header.Get("Retry-After") != "15" || !bytesContain(got.body, `"code": "TooManyRequests"`) ||
		!bytesContain(got.body, `"target": "UpdateVM"`) {
		t.Errorf("%v %s", got.header, got.body)
	}
	e.put(t, "windows-1", "c", script("exit 0")).expect(t, "another VM's", http.StatusCreated, "")
	e.advance(15e9)
	e.put(t, "linux-1", "c", script("exit 0")).expect(t, "a token later", http.StatusOK, "")
	e.put(t, "linux-1", "c", script("exit 0")).expect(t, "and no other", http.StatusTooManyRequests, "OperationNotAllowed")

	for range 2 {
		e.send(t, http.MethodGet, e.compute()+"/virtualMachines", nil).expect(t, "a list", http.StatusOK, "")
	}
	got = e.send(t, http.MethodGet, e.compute()+"/virtualMachines", nil)
	got.expect(t, "the subscription's", http.StatusTooManyRequests, "OperationNotAllowed")
	if _, bare := got.code(); !bare || got.header.Get("Retry-After") != "10" || !bytesContain(got.body, `"code": "TooManyRequests"`) {
		t.Errorf("%v %s", got.header, got.body)
	}
	e.fault(t, model.Fault{Kind: model.FaultThrottle})
	e.send(t, http.MethodGet, e.vm("linux-1"), nil).expect(t, "by a fault", http.StatusTooManyRequests, "SubscriptionRequestsThrottled")
	e.fault(t, model.Fault{Kind: model.FaultServerError})
	e.send(t, http.MethodGet, e.vm("linux-1"), nil).expect(t, "an error", http.StatusInternalServerError, "InternalServerError")
	e.fault(t, model.Fault{Kind: model.FaultRefuse, Code: "ReadOnlyDisabledSubscription", Status: http.StatusForbidden})
	e.send(t, http.MethodGet, e.vm("linux-1"), nil).expect(t, "a refusal", http.StatusForbidden, "ReadOnlyDisabledSubscription")
}
