//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Names of users go through URLs, Vault's own checks of paths and keys, the plugin protocol and the cloud's API.
func TestUserNamesOfAnyScript(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	account := e.sim.Info.Seeded[model.TencentCloud]
	for _, user := range []string{"Администратор", "Administratör", "Build User", "O'Brien (50%) #1"} {
		server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID, Region: account.Region,
			Platform: model.Windows, Logins: map[string]string{user: "what the image has"}})
		if err != nil {
			t.Fatal(err)
		}
		e.Write(t, "cloudpw/roles/"+server.ID, map[string]any{"connection": "tencentcloud", "instance_ids": server.ID, "username": user,
			"force_stop": true, "min_reset_interval": 0})
		got := e.first(t, server.ID)
		if got.Username != user {
			t.Errorf("%s is called %s", user, got.Username)
		}
		e.sim.Accepts(t, server.ID, user, got.Password)
		if users := e.List(t, "cloudpw/accounts/tencentcloud/"+server.ID); !slices.Equal(users, []string{user}) {
			t.Errorf("accounts of the server: %q", users)
		}
		if a := e.accountOf(t, got); a.State != "ready" {
			t.Errorf("%s: %+v", user, a)
		}
		if versions := e.List(t, "cloudpw/versions/tencentcloud/"+server.ID+"/"+user); !slices.Equal(versions, []string{"1"}) {
			t.Errorf("%s: versions %q", user, versions)
		}
		e.revoke(t, got.lease)
		e.awaitRotated(t, got)
		e.Write(t, "cloudpw/import/tencentcloud/"+server.ID+"/"+user, map[string]any{"password": "Set-by-hand-1"})
	}
}
