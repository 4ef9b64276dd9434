//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// check/ names the actions that the role lacks, and has the JSON of a role with them.
func TestAzureCheckShowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	account := e.sim.Info.Seeded[model.Azure]
	const write, network = "Microsoft.Compute/virtualMachines/runCommands/write", "Microsoft.Network/networkInterfaces/read"
	deny := map[string]any{"deny": []string{"arm:" + write, "arm:" + network}}
	if err := e.sim.Do(t.Context(), http.MethodPut, "/v1/access-keys/azure/"+account.ClientID, deny, nil); err != nil {
		t.Fatal(err)
	}
	var check struct {
		Verdict string
		Missing []string
		Summary string
		Policy  string `json:"policy_to_add"`
	}
	decode(t, e.Read(t, "cloudpw/check/azure").Data, &check)
	if check.Verdict != "denied" || !slices.Equal(check.Missing, []string{write}) {
		t.Errorf("%s, missing %v, want %s only:\n%s", check.Verdict, check.Missing, write, check.Summary)
	}
	if !strings.Contains(check.Summary, network+" (optional)") {
		t.Errorf("the summary does not tell of the optional action:\n%s", check.Summary)
	}
	var role struct{ Actions, AssignableScopes []string }
	if err := json.Unmarshal([]byte(check.Policy), &role); err != nil {
		t.Fatalf("no role's JSON: %v in\n%s", err, check.Policy)
	}
	if !slices.Contains(role.Actions, write) || !slices.Equal(role.AssignableScopes, []string{"/subscriptions/" + account.SubscriptionID}) {
		t.Errorf("the role is %+v", role)
	}
}

// discover/ shows virtual machines with their tags, and a role by tag has those with the tag.
func TestAzureFindsByTag(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	tagged := e.azureServer(t, "tagged", model.Linux, map[string]string{"team": "ops"})
	e.azureServer(t, "other", model.Linux, map[string]string{"team": "dev"})
	found, err := e.Client.Logical().ListWithContext(t.Context(), "cloudpw/discover/azure")
	if err != nil || found == nil {
		t.Fatalf("discover: %v", err)
	}
	var list struct {
		Keys []string
		Info map[string]struct {
			Name, Platform, State string
			Cloud                 string `json:"cloud_state"`
			Tags                  map[string]string
		} `json:"key_info"`
	}
	decode(t, found.Data, &list)
	if info := list.Info[tagged]; len(list.Keys) != 4 || info.Name != "tagged" || info.Platform != "linux" || info.State != "running" ||
		info.Tags["team"] != "ops" {
		t.Errorf("of %d instances it shows %+v", len(list.Keys), info)
	}
	e.Write(t, "cloudpw/roles/ops", map[string]any{"connection": "azure", "instance_tags": "team=ops"})
	if ids := e.List(t, "cloudpw/instances/ops"); !slices.Equal(ids, []string{tagged}) {
		t.Errorf("the role has %v, want %s", ids, tagged)
	}
	if secret := e.first(t, "ops"); secret.InstanceID != tagged {
		t.Errorf("a password of %s", secret.InstanceID)
	}
}

// verify/ tells a password that was set by hand, and leaves no run command behind.
func TestAzureVerifies(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	right, byHand := e.sim.ServerID(t, model.Azure, "linux-1"), e.azureServer(t, "by-hand", model.Linux, nil)
	e.azureRole(t, "app", []string{right, byHand}, map[string]any{"mode": "static", "check_method": "command"})
	secrets := map[string]issued{right: e.first(t, "app/"+right), byHand: e.first(t, "app/"+byHand)}
	w := &wrong{env: e, cloud: model.Azure, role: "app", one: secrets[byHand], two: secrets[byHand]}
	w.setByHand(t)
	t.Run("servers", func(t *testing.T) {
		for id, want := range map[string]checked{right: {Result: "matches", Version: 1}, byHand: {Result: "differs", Drifted: true}} {
			t.Run(want.Result, func(t *testing.T) {
				t.Parallel()
				var answer checked
				decode(t, e.Write(t, "cloudpw/verify/app/"+id, map[string]any{"wait": "45s"}).Data, &answer)
				if answer.found() != want {
					t.Errorf("the check has found %+v, want %+v", answer, want)
				}
				history := e.commands(t, id)
				if len(history) != 2 {
					t.Errorf("%d commands, want one that sets the password and one that looks", len(history))
				}
				seen := fmt.Sprintf("%+v", history)
				if strings.Contains(seen, secrets[id].Password) || strings.Contains(seen, setInside) {
					t.Error("the commands hold a password")
				}
			})
		}
	})
	e.atRest(t, right, byHand)
}

// A virtual machine that is made again under the old name is another instance: it has an account of its own, and neither the
// old password nor a command of the old account reaches it.
func TestAzureServerMadeAnew(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	tags := map[string]string{"team": "again"}
	old := e.azureServer(t, "again-1", model.Linux, tags)
	e.Write(t, "cloudpw/roles/again", map[string]any{"connection": "azure", "instance_tags": "team=again"})
	held := e.first(t, "again/"+old)
	if err := e.sim.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	made := e.azureServer(t, "again-1", model.Linux, tags)
	if made == old {
		t.Fatalf("the new server has the id of the old one, %s", made)
	}
	e.revoke(t, held.lease) // the old account is due
	fresh := e.first(t, "again/"+made)
	if fresh.Version != 1 || fresh.Password == held.Password {
		t.Errorf("version %d of the new server, with the old one's password: %v", fresh.Version, fresh.Password == held.Password)
	}
	e.sim.Refuses(t, made, held.Username, held.Password)
	harness.Eventually(t, rotatesWithin, "that the old server is missed", func() error {
		if a := e.accountOf(t, held); !strings.Contains(a.LastError, "does not show instance "+old) {
			return fmt.Errorf("the account is %s, last error %q", a.State, a.LastError)
		}
		return nil
	})
	if n := len(e.commands(t, made)); n != 1 {
		t.Errorf("%d commands were sent to the new server", n)
	}
	e.sim.Accepts(t, made, fresh.Username, fresh.Password)
}
