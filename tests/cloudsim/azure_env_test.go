package cloudsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// azureEnv is a simulator with a client of Resource Manager that is written here.
type azureEnv struct {
	sim   *cloudsim.Sim
	creds cloudsim.Credentials
	token string
}

// operationTime is long, so that nothing happens that a test does not ask for by moving the clock.
const operationTime = time.Hour

// noLimits has the simulator count no requests.
func noLimits(o *azureapi.Options) { o.Limits = map[string]azureapi.Limit{} }

func startAzure(t *testing.T, changes ...func(*azureapi.Options)) *azureEnv {
	t.Helper()
	sim := cloudsim.Start(t, cloudsim.Options{Options: model.Options{OperationTime: operationTime}, Azure: func(o *azureapi.Options) {
		for _, change := range changes {
			change(o)
		}
	}})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := &azureEnv{sim: sim, creds: seeded[model.Azure]}
	e.token = e.signIn(t, e.creds.ClientID, e.creds.ClientSecret, "https://management.core.windows.net//.default")
	return e
}

// signIn gets a token.
func (e *azureEnv) signIn(t *testing.T, client, secret, scope string) string {
	t.Helper()
	account, _ := e.sim.World().Account(model.Azure, e.creds.SubscriptionID)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {scope}}
	resp, err := http.PostForm(e.sim.URL(model.Azure, "login")+"/"+account.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.AccessToken == "" {
		t.Fatalf("no token: %d, %v", resp.StatusCode, err)
	}
	return out.AccessToken
}

// azureAnswer is what came back.
type azureAnswer struct {
	status int
	header http.Header
	body   []byte
}

// code is that of an error, and bare is set where it has no wrapper.
func (a azureAnswer) code() (code string, bare bool) {
	var out struct {
		Code  string
		Error struct{ Code string }
	}
	_ = json.Unmarshal(a.body, &out) // what is no JSON has no code
	return out.Error.Code + out.Code, out.Code != ""
}

// into reads the answer, which must be none of an error.
func (a azureAnswer) into(t *testing.T, v any) {
	t.Helper()
	if a.status >= http.StatusBadRequest {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// expect checks status and code.
func (a azureAnswer) expect(t *testing.T, name string, status int, code string) {
	t.Helper()
	if got, _ := a.code(); a.status != status || got != code {
		t.Errorf("%s: %d %q, want %d %q: %s", name, a.status, got, status, code, a.body)
	}
}

// send asks for a path, which may have a query of its own, with the usual version.
func (e *azureEnv) send(t *testing.T, method, path string, body any) azureAnswer {
	t.Helper()
	out, err := e.try(t, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is send for a call whose answer may be lost.
func (e *azureEnv) try(t *testing.T, method, path string, body any) (azureAnswer, error) {
	t.Helper()
	switch {
	case strings.Contains(path, "api-version"):
	case strings.Contains(path, "?"):
		path += "&api-version=2023-03-01"
	default:
		path += "?api-version=2023-03-01"
	}
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	if !strings.HasPrefix(path, "http") {
		path = e.sim.URL(model.Azure, "arm") + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if e.token != "" {
		r.Header.Set("Authorization", "Bearer "+e.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return azureAnswer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return azureAnswer{resp.StatusCode, resp.Header, raw}, err
}

// Paths.
func (e *azureEnv) compute() string {
	return "/subscriptions/" + e.creds.SubscriptionID + "/providers/Microsoft.Compute"
}

func (e *azureEnv) vm(name string) string {
	return "/subscriptions/" + e.creds.SubscriptionID + "/resourceGroups/demo/providers/Microsoft.Compute/virtualMachines/" + name
}

func (e *azureEnv) command(vm, name string) string { return e.vm(vm) + "/runCommands/" + name }

// advance moves the operation clock.
func (e *azureEnv) advance(d time.Duration) { e.sim.World().Advance(d) }

// fault adds a fault of Azure for the next request with this action.
func (e *azureEnv) fault(t *testing.T, f model.Fault) {
	t.Helper()
	f.Cloud = model.Azure
	if f.Count == 0 {
		f.Count = 1
	}
	if _, err := e.sim.World().AddFault(f); err != nil {
		t.Fatal(err)
	}
}
