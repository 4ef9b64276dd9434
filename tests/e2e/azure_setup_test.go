//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// mostRecords is how many run commands a virtual machine of Azure may have.
const mostRecords = 25

// The simulator's names of requests about run commands.
const (
	azurePut    = "VirtualMachineRunCommands_CreateOrUpdate"
	azureDelete = "VirtualMachineRunCommands_Delete"
)

// azureGets are those that read run commands, which share a limit.
var azureGets = []string{"VirtualMachineRunCommands_GetByVirtualMachine", "VirtualMachineRunCommands_ListByVirtualMachine"}

// azureConnects writes the connection, which has no key: the cloud has no initial passwords.
func (e *env) azureConnects(t *testing.T) {
	t.Helper()
	e.Write(t, "cloudpw/config/azure", e.connection(model.Azure))
}

// azureServer adds a virtual machine to the seeded subscription and returns its id.
func (e *env) azureServer(t *testing.T, name, platform string, tags map[string]string) string {
	t.Helper()
	account := e.sim.Info.Seeded[model.Azure]
	server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.Azure, AccountID: account.AccountID, Region: account.Region,
		Name: name, Platform: platform, Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return server.ID
}

// azureRole writes a leased role for virtual machines.
func (e *env) azureRole(t *testing.T, name string, ids []string, more map[string]any) {
	t.Helper()
	fields := map[string]any{"connection": "azure", "instance_ids": strings.Join(ids, ",")}
	maps.Copy(fields, more)
	e.Write(t, "cloudpw/roles/"+name, fields)
}

// azureCalls are the requests of one kind to Azure since an entry, which were about a virtual machine; "" is any.
func (e *env) azureCalls(t *testing.T, since int, id string, actions ...string) []model.Entry {
	t.Helper()
	return slices.DeleteFunc(e.sim.Since(t, since), func(entry model.Entry) bool {
		return entry.Cloud != model.Azure || !slices.Contains(actions, entry.Action) || id != "" && !slices.Contains(entry.Instances, id)
	})
}

// arm reads from the simulated Azure Resource Manager with a token of the connection's application.
type arm struct {
	base, token string
}

// arm gets a token.
func (e *env) arm(t *testing.T) arm {
	t.Helper()
	account, urls := e.sim.Info.Seeded[model.Azure], e.sim.Info.Endpoints[model.Azure]
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {account.ClientID}, "client_secret": {account.ClientSecret},
		"scope": {"https://management.core.windows.net//.default"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, urls["login"]+"/"+account.TenantID+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	fetch(t, request, &answer)
	return arm{base: urls["arm"], token: answer.Token}
}

// get reads a path, whatever pages its list has.
func (a arm) get(t *testing.T, path, version string, each func(json.RawMessage)) {
	t.Helper()
	for next := a.base + path + "?api-version=" + version; next != ""; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+a.token)
		var page struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		fetch(t, request, &page)
		for _, value := range page.Value {
			each(value)
		}
		next = page.NextLink
	}
}

// fetch sends a request and decodes its answer, which must be a success.
func fetch(t *testing.T, request *http.Request, into any) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", request.Method, request.URL.Path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// records are the names of the run commands that the cloud keeps, by the id of their virtual machine.
func (e *env) records(t *testing.T) map[string][]string {
	t.Helper()
	const version = "2023-03-01"
	a, places := e.arm(t), map[string]string{}
	a.get(t, "/subscriptions/"+e.sim.Info.Seeded[model.Azure].SubscriptionID+"/providers/Microsoft.Compute/virtualMachines", version,
		func(raw json.RawMessage) {
			var vm struct {
				ID         string
				Properties struct{ VMID string }
			}
			if err := json.Unmarshal(raw, &vm); err != nil {
				t.Fatal(err)
			}
			places[strings.ToLower(vm.Properties.VMID)] = vm.ID
		})
	kept := map[string][]string{}
	for id, path := range places {
		a.get(t, path+"/runCommands", version, func(raw json.RawMessage) {
			var command struct{ Name string }
			if err := json.Unmarshal(raw, &command); err != nil {
				t.Fatal(err)
			}
			kept[id] = append(kept[id], command.Name)
		})
	}
	return kept
}

// recordsAtMost is how many run commands a virtual machine had at a time at most, by the requests that the cloud has taken.
func (e *env) recordsAtMost(t *testing.T, id string) (most int) {
	t.Helper()
	now := 0
	for _, entry := range e.azureCalls(t, 0, id, azurePut, azureDelete) {
		switch {
		case entry.Status >= http.StatusMultipleChoices || entry.Status == http.StatusNoContent: // nothing was made or deleted
		case entry.Action == azurePut:
			now++
		default:
			now--
		}
		most = max(most, now)
	}
	return most
}

// atRest waits until no virtual machine has a run command left, and holds that none ever had too many and that the cloud
// refused no request for its rate.
func (e *env) atRest(t *testing.T, ids ...string) {
	t.Helper()
	harness.Eventually(t, rotatesWithin, "the deletion of all run commands", func() error {
		for _, id := range ids {
			for _, command := range e.commands(t, id) {
				if !command.Deleted {
					return fmt.Errorf("%s has %s, which is %s", id, command.CommandID, command.State)
				}
			}
		}
		return nil
	})
	for _, id := range ids {
		if most := e.recordsAtMost(t, id); most < 1 || most > mostRecords {
			t.Errorf("%s had %d run commands at a time", id, most)
		}
	}
	// A deletion takes the cloud a moment after its answer.
	harness.Eventually(t, rotatesWithin, "the end of all deletions", func() error {
		if kept := e.records(t); len(kept) != 0 {
			return fmt.Errorf("run commands are left: %v", kept)
		}
		return nil
	})
	for _, entry := range e.sim.Since(t, 0) {
		if entry.Cloud == model.Azure && entry.Status == http.StatusTooManyRequests {
			t.Errorf("the cloud refused %s at %s for its rate", entry.Action, entry.Time.Format(time.TimeOnly))
		}
	}
}
