package backend

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

const webAccount = "accounts/prod/srv-1/root"

var forced = map[string]any{"force": true}

// unboundAccount is a mount with an account that has a password, and whose role was deleted.
func unboundAccount(t *testing.T) (*harness, *logical.Response) {
	t.Helper()
	h := leasedRole(t, nil)
	lease := h.lease(t, "creds/web")
	h.delete(t, "roles/web")
	return h, lease
}

func TestDeleteAccount(t *testing.T) {
	h, lease := unboundAccount(t)
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, "srv-1 exists (RUNNING)", "force=true")
	h.cloud.terminate("srv-1")
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, "1 live leases", "force=true")
	h.cloud.fail("StartReset", cloud.Errorf(cloud.NotFound, "no such instance"))
	h.revoke(t, lease)
	h.read(t, webAccount)
	h.waitFor(t, webAccount, func(a map[string]any) bool { return a["state"] == "gone" })
	h.delete(t, webAccount)
	h.absent(t, webAccount)
	if got := h.stored(t, "account/"); got != "" {
		t.Errorf("storage still has %.80s", got)
	}
	h.delete(t, webAccount) // it can be repeated
	h.delete(t, "accounts/prod/a..b/root")
}

// TestDeleteBelievesNoSingleLook: a list may be incomplete, and with the account its passwords would go.
func TestDeleteBelievesNoSingleLook(t *testing.T) {
	h, lease := unboundAccount(t)
	h.revoke(t, lease)
	h.hasVersion(t, "srv-1", 2)
	clock := &fakeClock{now: time.Now()}
	h.clock = clock.clock()
	shown := h.cloud.instances["srv-1"]
	again := func(says ...string) {
		t.Helper()
		h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, append(says, "force=true")...)
		h.read(t, webAccount)
	}
	h.cloud.hide("srv-1")
	again("does not show instance srv-1 now", "repeat this in 5m0s")
	clock.advance(rotation.MissApart - 10*time.Second)
	again("repeat this in 10s")
	h.cloud.launch(shown) // the list is complete again
	again("srv-1 exists")
	h.cloud.hide("srv-1")
	clock.advance(rotation.MissApart)
	again("repeat this in 5m0s")
	clock.advance(2 * missedKept)
	again("repeat this in 5m0s")
	clock.advance(rotation.MissApart)
	h.delete(t, webAccount)
	h.absent(t, webAccount)
	if n := len(h.missed.since); n != 0 {
		t.Errorf("%d looks are remembered", n)
	}
}

func TestDeleteAccountOfATerminatedInstance(t *testing.T) {
	h, lease := unboundAccount(t)
	h.revoke(t, lease)
	h.hasVersion(t, "srv-1", 2)
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.State, i.CloudState = cloud.StateGone, "TERMINATED" }) // the cloud still lists it
	h.delete(t, webAccount)
	h.absent(t, webAccount)
}

func TestDeleteAccountOfARole(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.terminate("srv-1")
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, "belongs to role web", "force=true")
	// A binding whose role is not there was left behind by a write that was cut short.
	if err := h.storage.Delete(t.Context(), role.Prefix+"web"); err != nil {
		t.Fatal(err)
	}
	h.InvalidateKey(t.Context(), role.Prefix+"web")
	h.delete(t, webAccount)
	h.absent(t, webAccount)
}

func TestDeleteAccountNeedsTheCloud(t *testing.T) {
	h, _ := unboundAccount(t)
	for kind, status := range map[cloud.Kind]int{cloud.Unavailable: 503, cloud.Throttled: 503, cloud.Denied: 400, cloud.Unknown: 502} {
		h.cloud.fail("DescribeInstances", cloud.Errorf(kind, "so says the cloud"))
		h.refused(t, logical.DeleteOperation, webAccount, nil, status, "srv-1 still exists", "so says the cloud", "force=true")
		h.read(t, webAccount)
	}
	calls := h.cloud.count()
	h.ok(t, logical.DeleteOperation, webAccount, forced)
	h.absent(t, webAccount)
	if n := h.cloud.count() - calls; n != 0 {
		t.Errorf("a forced delete asked the cloud %d times", n)
	}
}

// An account that never had a password, as of a role with a misspelt user name, is forgotten as it is.
func TestDeleteAccountWithoutPassword(t *testing.T) {
	h := leasedRole(t, nil)
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, "belongs to role web")
	h.write(t, "roles/web", map[string]any{"username": "deploy"})
	h.delete(t, webAccount)
	h.absent(t, webAccount)
	h.read(t, "accounts/prod/srv-1/deploy")
}

func TestDeleteAccountWithoutConnection(t *testing.T) {
	h, lease := unboundAccount(t)
	h.revoke(t, lease)
	h.hasVersion(t, "srv-1", 2)
	h.delete(t, "config/prod")
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusBadRequest, "write config/prod", "force=true")
	h.ok(t, logical.DeleteOperation, webAccount, forced)
	h.absent(t, webAccount)
}

func TestForcedDelete(t *testing.T) {
	h := leasedRole(t, nil)
	var log bytes.Buffer
	if err := h.Setup(t.Context(),
		&logical.BackendConfig{System: h.system, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})}); err != nil {
		t.Fatal(err)
	}
	lease := h.lease(t, "creds/web")
	h.ok(t, logical.DeleteOperation, webAccount, map[string]any{"force": "true"}) // as in a URL's query
	h.absent(t, webAccount)
	for _, says := range []string{"prod/srv-1/root", "forced=true", "role=web", "leases=1"} {
		if !strings.Contains(log.String(), says) {
			t.Errorf("the log %q does not say %s", log.String(), says)
		}
	}
	if strings.Contains(log.String(), lease.Data["password"].(string)) {
		t.Error("the log has the password")
	}
	h.revoke(t, lease)
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/web")
	h.refused(t, logical.UpdateOperation, "rotate-role/web", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/web")
	h.refused(t, logical.UpdateOperation, "rotate-role/web/srv-1", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/web")
	h.write(t, "roles/web", map[string]any{"ttl": "1h"})
	if again := h.lease(t, "creds/web").Data; again["version"] != 1 || again["password"] != h.cloud.password("srv-1") {
		t.Errorf("version %v of the new account", again["version"])
	}
	if h.read(t, webAccount)["initial_overwritten"] != true {
		t.Error("the new account does not know that the initial password was overwritten")
	}
}

func TestForcedDeleteWhileRotating(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "not now"))
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable)
	h.waitFor(t, webAccount, func(a map[string]any) bool { return a["state"] == "rotating" })
	h.delete(t, "roles/web")
	h.cloud.terminate("srv-1")
	h.refused(t, logical.DeleteOperation, webAccount, nil, http.StatusConflict, "is being rotated", "force=true")
	h.ok(t, logical.DeleteOperation, webAccount, forced)
	h.absent(t, webAccount)
}

func TestForceBelongsToDelete(t *testing.T) {
	h := leasedRole(t, nil)
	h.refused(t, logical.ReadOperation, webAccount, forced, http.StatusBadRequest, "force", "DELETE")
	h.refused(t, logical.DeleteOperation, webAccount, map[string]any{"force": "perhaps"}, http.StatusBadRequest, "force")
	h.read(t, webAccount)
}

// An account of a role that is gone, under another connection, blocks binding until it is deleted.
func TestDeleteFreesAnInstance(t *testing.T) {
	h, lease := unboundAccount(t)
	h.revoke(t, lease)
	h.hasVersion(t, "srv-1", 2)
	h.connection(t, "again", resetCloud)
	role := map[string]any{"connection": "again", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0}
	h.refused(t, logical.UpdateOperation, "roles/web", role, http.StatusConflict, "connection=prod")
	h.ok(t, logical.DeleteOperation, webAccount, forced)
	h.write(t, "roles/web", role)
	if got := h.lease(t, "creds/web").Data; got["connection"] != "again" || got["password"] != h.cloud.password("srv-1") {
		t.Errorf("the answer is for connection %v", got["connection"])
	}
}

func TestForcedDeleteOfASharedAccount(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	shared := h.lease(t, "creds/web").Data["password"]
	h.ok(t, logical.DeleteOperation, "accounts/prod/srv-2/root", forced)
	h.refused(t, logical.ReadOperation, "creds/web/srv-2", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/web")
	accounts := h.write(t, "rotate-role/web", map[string]any{"wait": "45s"}).Data["accounts"].(map[string]any)
	if !strings.Contains(fmt.Sprint(accounts["srv-2"]), "vault write -force cloudpw/roles/web") {
		t.Errorf("rotate-role says %v of the deleted account", accounts["srv-2"])
	}
	if h.cloud.password("srv-1") == shared || h.cloud.password("srv-2") != shared {
		t.Error("the rotation went to the wrong servers")
	}
	h.write(t, "roles/web", map[string]any{"ttl": "1h"})
	h.hasVersion(t, "srv-2", 1)
	if got := h.lease(t, "creds/web/srv-2").Data["password"]; got != h.cloud.password("srv-1") || got != h.cloud.password("srv-2") {
		t.Error("the account that is back does not share the password")
	}
}
