//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestVaultTellsWhoAskedForAChange: a person who signs in is named beside the password that was changed for them, and the request
// beside it is the one that the cloud knows.
func TestVaultTellsWhoAskedForAChange(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"mode": "static"})
	account := "cloudpw/accounts/" + string(model.TencentCloud) + "/" + id + "/ubuntu"

	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"}) // the first one
	if err := e.Client.Sys().PutPolicy("rotator", `path "cloudpw/rotate-role/web" { capabilities = ["update"] }`); err != nil {
		t.Fatal(err)
	}
	e.Write(t, "sys/auth/userpass", map[string]any{"type": "userpass"})
	e.Write(t, "auth/userpass/users/alice", map[string]any{"password": "not-a-server's", "policies": "rotator"})
	login := e.Write(t, "auth/userpass/login/alice", map[string]any{"password": "not-a-server's"})
	if _, err := e.As(t, login.Auth.ClientToken).Logical().WriteWithContext(t.Context(), "cloudpw/rotate-role/web",
		map[string]any{"wait": "45s"}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, rotatesWithin, "the version that alice asked for", func() error {
		versions, _ := e.Read(t, account).Data["versions"].([]any)
		for _, v := range versions {
			v, _ := v.(map[string]any)
			if v["requested_by"] != "userpass-alice" {
				continue
			}
			if v["reason"] != "manual" || v["requested_by_entity_id"] != login.Auth.EntityID || login.Auth.EntityID == "" {
				t.Errorf("the version is %v", v)
			}
			request, _ := v["request_id"].(string)
			if seen := fmt.Sprintf("%+v", e.sim.Since(t, 0)); request == "" || !strings.Contains(seen, request) {
				t.Errorf("the cloud knows no request %q", request)
			}
			return nil
		}
		return fmt.Errorf("the versions are %v", versions)
	})
}
