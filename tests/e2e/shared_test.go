//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// The accounts of a role with shared_password have one password, under one lease, and one request resets them all.
func TestSharedPassword(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	var ids []string
	for i := range 5 {
		server, err := e.sim.AddServer(t.Context(), model.Server{
			Cloud: model.TencentCloud, AccountID: e.sim.Info.Seeded[model.TencentCloud].AccountID,
			Region: e.sim.Info.Seeded[model.TencentCloud].Region, Name: fmt.Sprintf("fleet-%d", i), Platform: model.Linux,
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	e.role(t, "fleet", model.TencentCloud, "linux-1", map[string]any{"instance_ids": strings.Join(ids, ","), "shared_password": true})

	// resets counts the requests that wanted to set passwords; read and compare the fleet's password.
	resets := func() (requests int) {
		for _, entry := range e.sim.Since(t, 0) {
			if entry.Action == "ResetInstancesPassword" {
				requests++
			}
		}
		return requests
	}
	read := func() issued {
		var secret issued
		harness.Eventually(t, rotatesWithin, "the shared password", func() error {
			answer, err := e.TryRead(t.Context(), "cloudpw/creds/fleet", "wait", "20s")
			if err == nil {
				secret = asIssued(t, answer)
			}
			return err
		})
		for _, id := range ids {
			e.sim.Accepts(t, id, secret.Username, secret.Password)
		}
		return secret
	}
	one := read()
	if n := resets(); n != 1 {
		t.Errorf("%d requests gave %d servers their first password, want 1", n, len(ids))
	}
	e.revoke(t, one.lease)
	harness.Eventually(t, rotatesWithin, "the next shared password", func() error {
		if n := resets(); n < 2 {
			return errors.New("the cloud was not asked")
		}
		for _, id := range ids {
			if attempts := e.sim.PasswordAttempts(t, id); attempts[len(attempts)-1].State != model.Succeeded {
				return fmt.Errorf("server %s: %s", id, attempts[len(attempts)-1].State)
			}
		}
		return nil
	})
	for _, id := range ids {
		e.sim.Refuses(t, id, one.Username, one.Password)
	}
	if two := read(); two.Password == one.Password {
		t.Error("the shared password was not changed")
	}
	if n := resets(); n != 2 {
		t.Errorf("%d requests for two passwords of %d servers", n, len(ids))
	}
}
