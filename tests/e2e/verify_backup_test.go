//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// fleetWithin bounds what takes half a minute for a fleet on an idle machine.
const fleetWithin = 4 * time.Minute

// TestChecksAfterARestoredBackup takes the steps of the documentation after Vault's storage was put back to a time before
// rotations: only what those have changed is reset, and all is right again.
func TestChecksAfterARestoredBackup(t *testing.T) {
	t.Parallel()
	const size, wrong = 200, 20
	e := startRaft(t)
	ids := e.checkedFleet(t, size)
	e.Write(t, "cloudpw/rotate-role/fleet", nil)
	for _, id := range ids {
		e.awaitCalm(t, id, 1, false)
	}

	backup := filepath.Join(e.Dir, "backup.snap")
	e.CLI(t, "operator", "raft", "snapshot", "save", backup)
	for _, id := range ids[:wrong] {
		e.Write(t, "cloudpw/rotate-role/fleet/"+id, nil)
	}
	for _, id := range ids[:wrong] {
		e.awaitCalm(t, id, 2, false)
	}
	resets := map[string]int{}
	for _, id := range ids {
		resets[id] = len(e.sim.PasswordAttempts(t, id))
	}
	e.CLI(t, "operator", "raft", "snapshot", "restore", backup)
	harness.Eventually(t, fleetWithin, "the restored storage to be loaded", func() error {
		status, err := e.TryRead(t.Context(), "cloudpw/status")
		if err == nil && (status == nil || status.Data["loading"] != false) {
			err = errors.New("it is loading")
		}
		return err
	})
	for i, id := range ids {
		if old := asIssued(t, e.Read(t, "cloudpw/creds/fleet/"+id)); i < wrong {
			e.sim.Refuses(t, id, old.Username, old.Password)
		} else {
			e.sim.Accepts(t, id, old.Username, old.Password)
		}
	}

	order := strings.Fields(strings.Replace(block(t, "operations.md", "sh", "cloudpw/verify-connection/"), "prod-tencent",
		string(model.TencentCloud), 1))
	var ordered struct {
		Data struct {
			Asked int `json:"accounts_to_check"`
			Not   int `json:"not_checkable"`
		}
	}
	out := e.CLI(t, append([]string{"write", "-format=json"}, order[2:]...)...)
	if err := json.Unmarshal([]byte(out), &ordered); err != nil || ordered.Data.Asked != size || ordered.Data.Not != 0 {
		t.Fatalf("%q is answered with %s, %v", order, out, err)
	}
	for i, id := range ids {
		version := 1
		if i < wrong {
			version = 2
		}
		e.awaitCalm(t, id, version, true)
		e.issue(t, "fleet/"+id)
		if n := len(e.sim.PasswordAttempts(t, id)) - resets[id]; n != version-1 {
			t.Errorf("server %d of %d was reset %d times, want %d", i+1, size, n, version-1)
		}
		if len(e.commands(t, id)) == 0 {
			t.Errorf("nothing has looked at server %d of %d", i+1, size)
		}
	}
}

// checkedFleet makes servers of one static role whose passwords the API sets and commands check.
func (e *env) checkedFleet(t *testing.T, size int) (ids []string) {
	t.Helper()
	e.connect(t, model.TencentCloud)
	account := e.sim.Info.Seeded[model.TencentCloud]
	for i := range size {
		server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID,
			Region: account.Region, Name: fmt.Sprintf("fleet-%d", i+1), Platform: model.Linux})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	e.Write(t, "cloudpw/roles/fleet", map[string]any{"connection": string(model.TencentCloud), "instance_ids": strings.Join(ids, ","),
		"mode": "static", "force_stop": true, "min_reset_interval": 0, "check_method": "command"})
	return ids
}

// awaitCalm waits until the version is current and nothing is to be done for the account, or, with looked, until it was also
// checked.
func (e *env) awaitCalm(t *testing.T, id string, version int, looked bool) {
	t.Helper()
	harness.Eventually(t, fleetWithin, fmt.Sprintf("version %d of server %s", version, id), func() error {
		secret, err := e.TryRead(t.Context(), "cloudpw/accounts/"+string(model.TencentCloud)+"/"+id+"/root")
		if err != nil {
			return err
		}
		if secret == nil {
			return errors.New("there is no account")
		}
		var a account
		var c struct {
			checked
			Ordered string `json:"check_ordered_time"`
		}
		decode(t, secret.Data, &a)
		decode(t, secret.Data, &c)
		if a.State != "ready" || a.CurrentVersion != version || a.DueReason != "" || c.Ordered != "" || c.Drifted || (c.Result != "") != looked {
			return fmt.Errorf("version %d, %s, due %q, %+v; last error %q", a.CurrentVersion, a.State, a.DueReason, c, a.LastError)
		}
		return nil
	})
}
