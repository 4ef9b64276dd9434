//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestMoveToAnotherConnection moves a leased account to another connection of its cloud account: over a crash of the plugin, with
// all versions, and so that Vault can end the leases of before.
func TestMoveToAnotherConnection(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	e.Write(t, "cloudpw/config/other", e.connection(model.TencentCloud))
	before := e.first(t, "web")

	db := map[string]any{"connection": "other", "instance_ids": id, "force_stop": true, "min_reset_interval": 0}
	_, err := e.Client.Logical().WriteWithContext(t.Context(), "cloudpw/roles/db", db)
	harness.Refused(t, err, http.StatusConflict)
	move := "cloudpw/accounts/tencentcloud/" + id + "/" + before.Username + "/move"
	if !strings.Contains(err.Error(), "vault write "+move+" connection=other role=db") {
		t.Errorf("the refusal names no way: %v", err)
	}
	answer := e.Write(t, move, map[string]any{"connection": "other", "role": "db"}).Data
	if answer["account"] != "other/"+id+"/"+before.Username || answer["last_role"] != "web" || answer["move_to"] != "db" {
		t.Errorf("the answer is %v", answer)
	}
	e.KillPlugin(t)
	e.Write(t, "cloudpw/roles/db", db)
	after := e.first(t, "db")
	if after.Connection != "other" || after.Version != before.Version+1 || after.Password == before.Password {
		t.Errorf("after the move: version %d of connection %s", after.Version, after.Connection)
	}
	e.sim.Refuses(t, id, before.Username, before.Password)
	kept := e.Read(t, "cloudpw/versions/other/"+id+"/"+before.Username+"/1").Data
	if kept["password"] != before.Password {
		t.Error("the version of before the move is lost")
	}
	if _, err := e.Client.Sys().RenewWithContext(t.Context(), before.lease, 0); err == nil {
		t.Error("a lease of before the move was renewed")
	}
	resets := len(e.sim.PasswordAttempts(t, id))
	e.revoke(t, before.lease)
	if e.leaseLives(t, before.lease) {
		t.Error("Vault has the lease of before the move still")
	}
	if again := e.issue(t, "db"); again.Password != after.Password || len(e.sim.PasswordAttempts(t, id)) != resets {
		t.Error("the end of a lease of before the move has set another password")
	}
	_, err = e.TryRead(t.Context(), "cloudpw/creds/web")
	harness.Refused(t, err, http.StatusBadRequest)
}
