package backend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// The tests below are parallel, since a group looks at its members once a second.

// sharedRole is a mount with a leased role whose three servers, of five, share one password.
func sharedRole(t *testing.T, changes map[string]any) *harness {
	t.Helper()
	return sharedRoleOn(t, newHarness(t), changes)
}

func sharedRoleOn(t *testing.T, h *harness, changes map[string]any) *harness {
	t.Helper()
	for i := range 5 {
		h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", i+1), Name: fmt.Sprintf("web-%d", i+1), Platform: cloud.Linux,
			Tags: map[string]string{"app": "web"}})
	}
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", merged(map[string]any{
		"connection": "prod", "instance_ids": "srv-1,srv-2,srv-3", "force_stop": true, "min_reset_interval": 0, "shared_password": true,
	}, changes))
	return h
}

// account reads the account of one server.
func (h *harness) account(t *testing.T, instance string) map[string]any {
	t.Helper()
	return h.read(t, "accounts/prod/"+instance+"/root")
}

// hasVersion waits until an account rests at a version, and returns it.
func (h *harness) hasVersion(t *testing.T, instance string, version int) map[string]any {
	t.Helper()
	return h.waitFor(t, "accounts/prod/"+instance+"/root", func(a map[string]any) bool {
		return a["state"] == "ready" && a["current_version"] == version
	})
}

func TestSharedPassword(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	if n := h.cloud.count("StartReset"); n != 0 {
		t.Fatalf("writing a leased role made %d resets", n)
	}
	first := h.lease(t, "creds/web")
	for _, id := range []string{"srv-1", "srv-2", "srv-3"} {
		if h.cloud.password(id) != first.Data["password"] || first.Data["password"] == "" {
			t.Errorf("%s has another password than the answer", id)
		}
	}
	if h.cloud.password("srv-4") != "" {
		t.Error("a server that is not in the role was reset")
	}
	for field, want := range map[string]any{
		"username": "root", "instance_id": "", "instance_name": "", "private_ip": "", "public_ip": "", "platform": "",
		"connection": "prod", "source": "reset", "version": 1, "instance_ids": []string{"srv-1", "srv-2", "srv-3"},
	} {
		if fmt.Sprint(first.Data[field]) != fmt.Sprint(want) {
			t.Errorf("%s = %v, want %v", field, first.Data[field], want)
		}
	}
	calls := h.cloud.count()
	second := h.lease(t, "creds/web/srv-2")
	if second.Data["password"] != first.Data["password"] || second.Data["version"] != 1 || second.Data["instance_id"] != "srv-2" ||
		second.Data["instance_name"] != "web-2" {
		t.Errorf("the second form answers %v for version %v", second.Data["instance_id"], second.Data["version"])
	}
	if _, ok := second.Data["instance_ids"]; ok {
		t.Error("the second form names other instances")
	}
	if n := h.cloud.count() - calls; n != 0 {
		t.Errorf("a read of a rotated account made %d cloud calls", n)
	}
	for _, lease := range []*logical.Response{first, second} {
		if got := lease.Secret.InternalData["account"]; got != rotation.GroupID("prod", "web").String() {
			t.Errorf("the lease belongs to %v, want the role's group", got)
		}
	}
	resets := h.cloud.count("StartReset")
	h.revoke(t, second)
	if h.cloud.count("StartReset") != resets {
		t.Error("the servers rotated although a lease was left")
	}
	h.revoke(t, first)
	third := h.lease(t, "creds/web")
	if third.Data["version"] != 2 || third.Data["password"] == first.Data["password"] || third.Data["password"] != h.cloud.password("srv-3") {
		t.Errorf("after the last lease: version %v", third.Data["version"])
	}
}

func TestSharedPasswordIsShown(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	lease := h.lease(t, "creds/web")
	account := h.account(t, "srv-2")
	group, _ := account["group"].(map[string]any)
	if account["shared_password"] != true || group["state"] != "ready" || group["current_version"] != 1 ||
		len(group["leases"].([]map[string]any)) != 1 {
		t.Errorf("the account shows %v", account)
	}
	if strings.Contains(fmt.Sprint(account), lease.Data["password"].(string)) {
		t.Error("the account shows the password")
	}
	resp := h.ok(t, logical.ListOperation, "instances/web", nil)
	if info := resp.Data["key_info"].(map[string]any)["srv-1"]; fmt.Sprint(info) != "map[name:web-1 shared_password:true username:root]" {
		t.Errorf("instances/ shows %v", info)
	}
	if h.read(t, "roles/web")["shared_password"] != true {
		t.Error("the role does not show it")
	}
	if got := fmt.Sprint(h.list(t, "accounts/"), h.list(t, "accounts/prod")); got != "[prod] [srv-1 srv-2 srv-3]" {
		t.Errorf("accounts/ lists %s", got)
	}
	if got := h.stored(t, rotation.GroupPrefix); !strings.Contains(got, lease.Data["password"].(string)) {
		t.Error("the group is not where storage is seal-wrapped")
	}
}

func TestRotateSharedPassword(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	old := h.lease(t, "creds/web").Data["password"]
	h.refused(t, logical.UpdateOperation, "rotate-role/web/srv-1", nil, http.StatusConflict, "shares its password", "rotate-role/web")
	h.refusedWrite(t, "rotate-role/web/srv-4", nil, "no instance")
	data := h.write(t, "rotate-role/web", map[string]any{"wait": "45s"}).Data
	group := data["group"].(map[string]any)
	if group["current_version"] != 2 || group["state"] != "ready" || group["username"] != nil {
		t.Errorf("rotate-role answered %v", group)
	}
	accounts := data["accounts"].(map[string]any)
	if len(accounts) != 3 || accounts["srv-3"].(map[string]any)["username"] != "root" {
		t.Errorf("rotate-role answered %v", accounts)
	}
	fresh := h.cloud.password("srv-1")
	if fresh == old || h.cloud.password("srv-2") != fresh || h.cloud.password("srv-3") != fresh {
		t.Error("the servers do not have one new password")
	}
}

func TestSharedPasswordJoinAndLeave(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	lease := h.lease(t, "creds/web")
	group := lease.Data["password"]
	h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2,srv-4"})
	h.hasVersion(t, "srv-4", 1)
	joined := h.lease(t, "creds/web/srv-4")
	if joined.Data["password"] == group || h.cloud.password("srv-4") != joined.Data["password"] || joined.Data["version"] != 2 {
		t.Errorf("a joiner has version %v, the password that the others had: %v", joined.Data["version"], joined.Data["password"] == group)
	}
	left := h.hasVersion(t, "srv-3", 2)
	if left["role"] != "" || left["shared_password"] != false || left["group"] != nil || h.cloud.password("srv-3") == group {
		t.Errorf("a leaver keeps the shared password, or is %v", left)
	}
	if now := h.lease(t, "creds/web").Data; now["version"] != 2 || now["password"] != joined.Data["password"] ||
		h.cloud.password("srv-1") != now["password"] {
		t.Error("those that stayed do not have the joiner's password")
	}
	if got := h.lease(t, "creds/web").Data["instance_ids"]; fmt.Sprint(got) != "[srv-1 srv-2 srv-4]" {
		t.Errorf("the answer is for %v", got)
	}
}

func TestSharedRoleByTags(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, map[string]any{"instance_ids": nil, "instance_tags": "app=web"})
	group := h.lease(t, "creds/web").Data["password"]
	h.cloud.launch(cloud.Instance{ID: "srv-9", Platform: cloud.Linux, Tags: map[string]string{"app": "web"}})
	h.cloud.terminate("srv-5")
	// srv-5 leaves by the background's looks
	if got := h.list(t, "instances/web"); fmt.Sprint(got) != "[srv-1 srv-2 srv-3 srv-4 srv-5 srv-9]" {
		t.Errorf("instances %v", got)
	}
	h.hasVersion(t, "srv-9", 1)
	if got := h.lease(t, "creds/web").Data["password"]; got == group || h.cloud.password("srv-9") != got {
		t.Error("the joiner has another password when the role answers, or the one that the others had")
	}
	h.refusedWrite(t, "roles/none", map[string]any{"connection": "prod", "instance_tags": "app=none", "force_stop": true,
		"shared_password": true},
		"shared_password", "instance")
	h.absent(t, "roles/none")
}

func TestDeleteSharedRole(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	lease := h.lease(t, "creds/web")
	shared := lease.Data["password"].(string)
	h.delete(t, "roles/web")
	own := map[string]bool{}
	for _, id := range []string{"srv-1", "srv-2", "srv-3"} {
		if got := h.hasVersion(t, id, 2); got["role"] != "" || got["shared_password"] != false {
			t.Errorf("%s: %v", id, got)
		}
		own[h.cloud.password(id)] = true
	}
	if len(own) != 3 || own[shared] {
		t.Errorf("the servers have %d passwords, the shared one among them: %v", len(own), own[shared])
	}
	if got := h.stored(t, rotation.GroupPrefix); got != "" {
		t.Errorf("the group is left: %.60s", got)
	}
	h.revoke(t, lease) // Vault still has it
	h.delete(t, "roles/web")
	h.write(t, "accounts/prod/srv-1/root/move", map[string]any{"role": "apart"})
	h.write(t, "roles/apart", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	h.lease(t, "creds/apart")
}

func TestStaticSharedRole(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, map[string]any{"mode": "static"}) // force_stop skips the rotation by default
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "rotate-role")
	if n := h.cloud.count("StartReset"); n != 0 {
		t.Errorf("%d resets", n)
	}
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	if got := h.read(t, "creds/web"); got["password"] != h.cloud.password("srv-2") || got["version"] != 1 {
		t.Errorf("version %v", got["version"])
	}

	h = sharedRole(t, map[string]any{"mode": "static", "skip_import_rotation": false})
	resp := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s"})
	if resp.Secret != nil || resp.Data["password"] != h.cloud.password("srv-3") {
		t.Error("a lease, or another password than the server's")
	}
	resets := h.cloud.count("StartReset")
	h.write(t, "roles/web", map[string]any{"custom_metadata": "owner=ops"})
	if got := h.read(t, "creds/web"); got["version"] != 1 || h.cloud.count("StartReset") != resets {
		t.Errorf("a later write rotated: version %v", got["version"])
	}
}

func TestSharedPasswordAtCreation(t *testing.T) {
	t.Parallel()
	h := roleMount(t)
	role := merged(baseRoles["leased"], map[string]any{"shared_password": true})
	h.refusedWrite(t, "roles/r", merged(baseRoles["both"], map[string]any{"shared_password": true}), "shared_password", "source=reset")
	h.refusedWrite(t, "roles/r", merged(baseRoles["initial"], map[string]any{"shared_password": true}), "shared_password", "cannot reset")
	h.absent(t, "roles/r")
	h.write(t, "roles/r", role)
	for _, change := range []any{false, ""} {
		h.refusedWrite(t, "roles/r", map[string]any{"shared_password": change}, "shared_password", "cannot be changed from true",
			"delete the role")
	}
	h.write(t, "roles/r", map[string]any{"shared_password": true, "ttl": "2h"})
	if got := h.lease(t, "creds/r").Secret.TTL.Hours(); got != 2 {
		t.Errorf("a change of the role does not reach its group: ttl %vh", got)
	}
}

func TestSharedPasswordMustFitAll(t *testing.T) {
	t.Parallel()
	h := roleMount(t)
	h.cloud.rules = map[string]password.Rules{"srv-1": {MinLength: 20, MaxLength: 30, MinClasses: 3},
		"srv-2": {MinLength: 8, MaxLength: 16, MinClasses: 3}}
	both := merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-1,srv-2"})
	h.refusedWrite(t, "roles/r", merged(both, map[string]any{"shared_password": true}), "shared_password", "srv-2", "several roles")
	h.absent(t, "roles/r")
	h.write(t, "roles/r", both) // apart they fit
}

func TestSharedPasswordOfDifferentUsers(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-6", Platform: cloud.Windows})
	sharedRoleOn(t, h, map[string]any{"instance_ids": "srv-1,srv-6"})
	shared := h.lease(t, "creds/web").Data
	if shared["username"] != "" || shared["password"] != h.cloud.password("srv-6") || shared["password"] != h.cloud.password("srv-1") {
		t.Errorf("for root and Administrator the answer is %v", shared["username"])
	}
	for id, user := range map[string]string{"srv-1": "root", "srv-6": "Administrator"} {
		if got := h.lease(t, "creds/web/"+id).Data["username"]; got != user {
			t.Errorf("%s: %v", id, got)
		}
	}
}

// A write that is cut short between its role and its group, and storage that fails before that.
func TestSharedRoleWriteCutShort(t *testing.T) {
	t.Parallel()
	storage := &flaky{Storage: new(logical.InmemStorage)}
	fake := newFakeCloud()
	h := sharedRoleOn(t, newHarnessWith(t, storage, fake, fake.registry()), nil)
	failing := func(prefix string, role map[string]any) string {
		storage.fail(prefix, 0)
		resp, err := h.request(t, logical.UpdateOperation, "roles/web", role)
		storage.heal()
		status, message := statusOf(resp, err)
		if status < 400 {
			t.Fatalf("the write succeeded while %s cannot be written", prefix)
		}
		return message
	}
	shared := h.lease(t, "creds/web").Data["password"]

	failing(role.Prefix, map[string]any{"instance_ids": "srv-1,srv-4"})
	if got := h.list(t, "instances/web"); !slices.Equal(got, []string{"srv-1", "srv-2", "srv-3"}) {
		t.Errorf("after a failed write the role has %v", got)
	}
	if h.account(t, "srv-4")["role"] != "" || h.account(t, "srv-2")["due_reason"] != nil {
		t.Error("a failed write let an instance join or leave")
	}

	if says := failing("account/prod/srv-2/", map[string]any{"instance_ids": "srv-1,srv-3"}); !strings.Contains(says, "write it again") {
		t.Errorf("no way out: %s", says)
	}
	if got := h.account(t, "srv-2"); got["role"] != "web" || got["due_reason"] != nil {
		t.Fatalf("srv-2 has left its group already: %v", got)
	}
	// srv-2 has left the role and not yet its group: another role gets it as a leaver.
	h.write(t, "accounts/prod/srv-2/root/move", map[string]any{"role": "other"})
	h.write(t, "roles/other", map[string]any{"connection": "prod", "instance_ids": "srv-2", "force_stop": true, "min_reset_interval": 0})
	if got := h.lease(t, "creds/other").Data["password"]; got == shared || got != h.cloud.password("srv-2") {
		t.Error("a leaver's new role hands the shared password out")
	}
	h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-3"})
	if got := h.lease(t, "creds/web").Data["password"]; got != shared {
		t.Error("those that stayed have another password")
	}
}

func TestNewSharedRoleCutShort(t *testing.T) {
	t.Parallel()
	storage := &flaky{Storage: new(logical.InmemStorage)}
	fake := newFakeCloud()
	h := sharedRoleOn(t, newHarnessWith(t, storage, fake, fake.registry()), nil)
	h.delete(t, "roles/web")
	role := map[string]any{"connection": "prod", "instance_ids": "srv-4,srv-5", "force_stop": true, "min_reset_interval": 0,
		"shared_password": true}
	storage.fail(rotation.GroupPrefix, 0)
	if resp, err := h.request(t, logical.UpdateOperation, "roles/new", role); err == nil && !resp.IsError() {
		t.Fatal("the write succeeded")
	}
	storage.heal()
	h.refused(t, logical.ReadOperation, "creds/new", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/new")
	h.refused(t, logical.UpdateOperation, "rotate-role/new", nil, http.StatusBadRequest, "vault write -force cloudpw/roles/new")
	h.write(t, "roles/new", map[string]any{"ttl": "1h"})
	if got := h.lease(t, "creds/new").Data["password"]; got != h.cloud.password("srv-5") || got != h.cloud.password("srv-4") {
		t.Error("the servers do not share the password")
	}
}

func TestSharedPasswordSurvivesARestart(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	first := h.lease(t, "creds/web")
	h.Cleanup(t.Context())
	again := newHarnessOn(t, h.storage, h.cloud)
	if got := again.lease(t, "creds/web"); got.Data["password"] != first.Data["password"] || got.Data["version"] != 1 {
		t.Error("another password after a restart")
	} else {
		again.revoke(t, got)
	}
	again.revoke(t, first)
	if got := again.lease(t, "creds/web").Data; got["version"] != 2 || got["password"] != h.cloud.password("srv-1") {
		t.Errorf("version %v after the last lease", got["version"])
	}
}

func TestInvalidateGroup(t *testing.T) {
	t.Parallel()
	h := sharedRole(t, nil)
	h.lease(t, "creds/web")
	other := newHarnessOn(t, h.storage, h.cloud) // the node that writes
	other.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	for _, key := range []string{"group/prod/web", "account/prod/srv-1/root", "account/prod/srv-2/root", "account/prod/srv-3/root", "group/",
		"group/odd"} {
		h.InvalidateKey(t.Context(), key)
	}
	if got := h.lease(t, "creds/web").Data; got["version"] != 2 || got["password"] != h.cloud.password("srv-1") {
		t.Errorf("version %v after invalidation", got["version"])
	}
}
