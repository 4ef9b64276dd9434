package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

func TestRoleNeedsItsConnection(t *testing.T) {
	h := roleMount(t)
	h.refusedWrite(t, "roles/r", merged(baseRoles["leased"], map[string]any{"connection": "none"}), "connection", "config/none")
	h.refusedWrite(t, "roles/r", merged(baseRoles["leased"], map[string]any{"connection": "a/b"}), "connection")
	h.write(t, "config/"+resetCloud, map[string]any{"allowed_roles": "other,web-*"})
	h.refusedWrite(t, "roles/r", baseRoles["leased"], "connection", "allowed_roles")
	h.write(t, "roles/web-1", baseRoles["leased"])
	h.refusedWrite(t, "roles/a..b", baseRoles["leased"], "name", "..")
	if got := h.list(t, "roles/"); fmt.Sprint(got) != "[web-1]" {
		t.Errorf("roles/ lists %v", got)
	}
}

func TestForceStopIsRequired(t *testing.T) {
	h := roleMount(t)
	h.refusedWrite(t, "roles/r", merged(baseRoles["leased"], map[string]any{"force_stop": nil}), "force_stop", "required", "shutting it down")
	h.refusedWrite(t, "roles/r", merged(baseRoles["static"], map[string]any{"force_stop": nil}), "force_stop", "required")
	h.write(t, "roles/stopped", merged(baseRoles["leased"], map[string]any{"force_stop": false, "instance_ids": "srv-3"}))
	h.change(t, "srv-3")
	h.refusedWrite(t, "roles/stopped", map[string]any{}, "force_stop", "srv-3")
}

// change starts a server.
func (h *harness) change(t *testing.T, id string) {
	t.Helper()
	h.cloud.change(id, func(i *cloud.Instance) { i.State, i.CloudState = cloud.StateRunning, "RUNNING" })
}

func TestInitialRoleFitsItsInstances(t *testing.T) {
	h := roleMount(t)
	role := func(id string, changes map[string]any) map[string]any {
		return merged(map[string]any{"connection": initialCloud, "instance_ids": id}, changes)
	}
	h.refusedWrite(t, "roles/r", role("srv-3", nil), "srv-3", "Linux", "Windows only", "key pair instead")
	h.refusedWrite(t, "roles/r", role("srv-3", map[string]any{"connection": bothCloud}), "srv-3", "Linux", "Windows only", "source=reset")
	h.cloud.launch(cloud.Instance{ID: "srv-10"})
	h.refusedWrite(t, "roles/r", role("srv-10", nil), "no key pair", "role's key")
	h.cloud.launch(cloud.Instance{ID: "srv-11", KeyName: "team/pair 1"})
	h.refusedWrite(t, "roles/r", role("srv-11", nil), "team/pair 1", "vault write cloudpw/keys/team-pair-1 private_key=@team-pair-1.pem",
		"key=team-pair-1")
	h.write(t, "roles/r11", role("srv-11", map[string]any{"key": "other"}))
	h.cloud.launch(cloud.Instance{ID: "srv-12", KeyName: "missing"})
	h.refusedWrite(t, "roles/r", role("srv-12", nil), "keys/missing")
	h.refusedWrite(t, "roles/r", role("srv-1", map[string]any{"mode": "leased"}), "mode", "cannot do")
	h.cloud.fail("CheckInitialPassword", &cloud.Error{Kind: cloud.Denied, Code: "UnauthorizedOperation",
		Message: "not allowed: ecs:serverPasswords:manage"})
	h.refusedWrite(t, "roles/r", role("srv-1", nil), "initial passwords", "UnauthorizedOperation", "ecs:serverPasswords:manage")
	h.absent(t, "roles/r")
	if got := h.stored(t, "account/"); strings.Contains(got, `"role":"r"`) {
		t.Error("a refused role is bound to an account")
	}
}

func TestRoleWriteNeedsTheCloud(t *testing.T) {
	h := roleMount(t)
	for kind, status := range map[cloud.Kind]int{
		cloud.Unavailable: http.StatusServiceUnavailable, cloud.Throttled: http.StatusServiceUnavailable,
		cloud.Denied: http.StatusBadRequest, cloud.Refused: http.StatusBadRequest, cloud.Unknown: http.StatusBadGateway,
	} {
		h.cloud.fail("DescribeInstances", cloud.Errorf(kind, "so says the cloud"))
		h.refused(t, logical.UpdateOperation, "roles/r", baseRoles["leased"], status, "instance_ids", "so says the cloud")
		h.absent(t, "roles/r")
	}
	h.cloud.fail("DescribeInstances", nil)
	h.cloud.change("srv-2", func(i *cloud.Instance) { i.State = cloud.StateGone })
	h.refusedWrite(t, "roles/r", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-1,srv-2"}), "terminated", "srv-2")
	h.refusedWrite(t, "roles/r", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-1,srv-77,srv-78"}), "srv-77, srv-78",
		"region")
}

func TestOneAccountBelongsToOneRole(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/a", baseRoles["leased"])
	before := h.stored(t, "account/")
	h.refused(t, logical.UpdateOperation, "roles/b", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-2,srv-1"}),
		http.StatusConflict, `"a"`)
	h.absent(t, "roles/b")
	if got := h.stored(t, "account/"); got != before {
		t.Errorf("the refused role left\n%s, before\n%s", got, before)
	}
	// Windows folds case
	h.refused(t, logical.UpdateOperation, "roles/b", merged(baseRoles["leased"], map[string]any{"username": "administrator"}),
		http.StatusConflict, "role a;")
	h.write(t, "roles/b", merged(baseRoles["leased"], map[string]any{"username": "backup"}))
	h.delete(t, "roles/a")
	h.write(t, "roles/c", baseRoles["leased"])
}

// flaky is storage whose writes under a prefix fail. Several accounts of a role are written at once.
type flaky struct {
	logical.Storage
	mu     sync.Mutex
	prefix string // empty: none fails
	after  int    // writes that still succeed
}

func (f *flaky) Put(ctx context.Context, e *logical.StorageEntry) error {
	if f.fails(e.Key) {
		return errors.New("disk full")
	}
	return f.Storage.Put(ctx, e)
}

func (f *flaky) fails(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.prefix == "" || !strings.HasPrefix(key, f.prefix) {
		return false
	}
	f.after--
	return f.after < 0
}

// fail has writes under a prefix fail after some that still succeed.
func (f *flaky) fail(prefix string, after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prefix, f.after = prefix, after
}

// heal has all writes succeed.
func (f *flaky) heal() { f.fail("", 0) }

func TestFailedWriteLeavesNothingHalfWritten(t *testing.T) {
	for name, prefix := range map[string]string{"role entry": role.Prefix, "second account": "account/"} {
		t.Run(name, func(t *testing.T) {
			storage := &flaky{Storage: new(logical.InmemStorage)}
			fake := newFakeCloud()
			h := newHarnessWith(t, storage, fake, fake.registry())
			for _, id := range []string{"srv-1", "srv-2"} {
				fake.launch(cloud.Instance{ID: id})
			}
			h.connection(t, "c", resetCloud)
			data := map[string]any{"connection": "c", "instance_ids": "srv-1,srv-2", "force_stop": true}
			before := 1
			if prefix == role.Prefix {
				before = 0
			}
			storage.fail(prefix, before)
			if resp, err := h.request(t, logical.UpdateOperation, "roles/a", data); err == nil && !resp.IsError() {
				t.Fatal("the write succeeded")
			}
			storage.heal()
			h.absent(t, "roles/a")
			h.write(t, "roles/b", data) // what a failed write has bound is free, or was freed
			h.refused(t, logical.UpdateOperation, "roles/a", data, http.StatusConflict, `"b"`)

			storage.fail(role.Prefix, 0)
			if resp, err := h.request(t, logical.UpdateOperation, "roles/b", map[string]any{"ttl": "2h", "instance_ids": "srv-1"}); err == nil &&
				!resp.IsError() {
				t.Fatal("the update succeeded")
			}
			storage.heal()
			if got := h.read(t, "roles/b")["ttl"]; got != int64(3600) {
				t.Errorf("ttl is %v after a failed update", got)
			}
			h.lease(t, "creds/b/srv-2")
			if lease := h.lease(t, "creds/b/srv-1"); lease.Secret.TTL.Seconds() != 3600 {
				t.Errorf("the account has the TTL %s of the failed update", lease.Secret.TTL)
			}
		})
	}
}

// A write that was cut short after its accounts were bound, and before its role was stored.
func TestAbandonedBindingIsFreed(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/ghost", baseRoles["leased"])
	if err := h.storage.Delete(t.Context(), role.Prefix+"ghost"); err != nil {
		t.Fatal(err)
	}
	h.InvalidateKey(t.Context(), role.Prefix+"ghost")
	h.write(t, "roles/new", baseRoles["leased"])
	if got := h.read(t, "accounts/"+resetCloud+"/srv-1/Administrator")["role"]; got != "new" {
		t.Errorf("the account belongs to %v", got)
	}
}

func TestInstancesLeaveAndJoin(t *testing.T) {
	h := roleMount(t)
	account := func(id string) any { return h.read(t, "accounts/"+resetCloud+"/"+id+"/Administrator")["role"] }
	h.write(t, "roles/r", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-1,srv-2"}))
	h.write(t, "roles/r", map[string]any{"instance_ids": "srv-2"})
	if account("srv-1") != "" || account("srv-2") != "r" {
		t.Errorf("srv-1 belongs to %q, srv-2 to %q", account("srv-1"), account("srv-2"))
	}
	h.write(t, "roles/r", map[string]any{"username": "svc"})
	if account("srv-2") != "" {
		t.Error("the account of the old user name is still bound")
	}
	h.refused(t, logical.ReadOperation, "creds/r/srv-1", nil, http.StatusBadRequest, "no instance")
	h.delete(t, "roles/r")
	h.absent(t, "roles/r")
	h.delete(t, "roles/r")
	if got := h.read(t, "accounts/"+resetCloud+"/srv-2/svc")["role"]; got != "" {
		t.Errorf("the account belongs to %q after the role's end", got)
	}
}

func TestTagRole(t *testing.T) {
	h := roleMount(t)
	role := map[string]any{"connection": resetCloud, "instance_tags": "env=prod", "force_stop": true, "min_reset_interval": 0}
	h.write(t, "roles/r", role)
	if got := h.list(t, "instances/r"); fmt.Sprint(got) != "[srv-1 srv-2]" {
		t.Errorf("instances %v", got)
	}
	h.cloud.launch(cloud.Instance{ID: "srv-20", Tags: map[string]string{"env": "prod"}})
	finds := h.cloud.count("FindInstances")
	h.lease(t, "creds/r/srv-20") // unknown until asked for
	if h.cloud.count("FindInstances") != finds+1 {
		t.Error("an unknown instance did not make one look at the tags")
	}
	h.refused(t, logical.ReadOperation, "creds/r/srv-21", nil, http.StatusBadRequest, "no instance")
	if h.cloud.count("FindInstances") != finds+1 {
		t.Error("reads of unknown instances flood the cloud")
	}
	calls := h.cloud.count("FindInstances", "DescribeInstances")
	h.lease(t, "creds/r/srv-1")
	if h.cloud.count("FindInstances", "DescribeInstances") != calls {
		t.Error("the read of a bound instance asked the cloud where it is")
	}
	h.cloud.change("srv-2", func(i *cloud.Instance) { i.PublicIP = "192.0.2.7" })
	h.list(t, "instances/r")
	if got := h.read(t, "accounts/"+resetCloud+"/srv-2/Administrator")["public_ip"]; got != "192.0.2.7" {
		t.Errorf("the address is %v after a look at the instances", got)
	}
	h.cloud.terminate("srv-1")
	if got := h.list(t, "instances/r"); fmt.Sprint(got) != "[srv-1 srv-2 srv-20]" {
		t.Errorf("who lists the instances took one from the role: %v", got)
	}
	h.refusedWrite(t, "roles/r", map[string]any{"instance_ids": "srv-2"}, "instance_tags", "instance_ids")
	h.write(t, "roles/r", map[string]any{"instance_ids": "srv-2", "instance_tags": ""})
}

func TestTagRoleLeavesOutWhatDoesNotFit(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/older", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-2"}))
	tags := map[string]any{"connection": resetCloud, "instance_tags": "env=prod", "force_stop": true}
	resp := h.write(t, "roles/tags", tags)
	if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), `"older"`) {
		t.Errorf("no warning of the older binding: %v", resp)
	}
	if got := h.list(t, "instances/tags"); fmt.Sprint(got) != "[srv-1]" {
		t.Errorf("instances %v", got)
	}
	h.cloud.launch(cloud.Instance{ID: "srv-30", KeyName: "pair", Platform: cloud.Linux, Tags: map[string]string{"os": "mixed"}})
	mixed := map[string]any{"connection": initialCloud, "instance_tags": "os=mixed"}
	h.refusedWrite(t, "roles/mixed", mixed, "srv-30", "Linux")
	h.cloud.launch(cloud.Instance{ID: "srv-31", KeyName: "pair", Tags: map[string]string{"os": "mixed"}})
	resp = h.write(t, "roles/mixed", mixed)
	if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "srv-30 runs Linux") {
		t.Errorf("no warning of the Linux server: %v", resp)
	}
	resp = h.write(t, "roles/none", merged(tags, map[string]any{"instance_tags": "env=nowhere"}))
	if resp == nil || len(resp.Warnings) != 1 {
		t.Errorf("no warning that nothing carries the tags: %v", resp)
	}
	h.refused(t, logical.ReadOperation, "creds/none", nil, http.StatusBadRequest, "no instance", "instances/none")
	h.refused(t, logical.ListOperation, "instances/other", nil, http.StatusBadRequest, "unknown role")
}

func TestPolicyOfTheConnection(t *testing.T) {
	h := roleMount(t)
	h.write(t, "config/"+resetCloud, map[string]any{"password_policy": "short"})
	h.refusedWrite(t, "roles/r", baseRoles["leased"], "password_policy", "short", "at least 12")
	h.write(t, "roles/r", merged(baseRoles["leased"], map[string]any{"password_policy": "strong"}))
	if got := h.lease(t, "creds/r").Data["password"]; got != "Correct-Horse-7-Battery" {
		t.Errorf("the password is not of the policy")
	}
	h.write(t, "config/"+resetCloud, map[string]any{"password_policy": ""})
	h.write(t, "roles/r", map[string]any{"password_policy": "", "username": "svc"})
	if got := h.lease(t, "creds/r").Data["password"].(string); len(got) < 20 {
		t.Errorf("the built-in generator made %d characters", len(got))
	}
}

func TestMountLimitIsWarnedOf(t *testing.T) {
	h := roleMount(t)
	resp := h.write(t, "roles/r", merged(baseRoles["leased"], map[string]any{"max_ttl": "1000h"}))
	if resp == nil || !strings.Contains(resp.Warnings[0], "max_lease_ttl") {
		t.Errorf("no warning: %v", resp)
	}
}

func TestRolesSurviveARestart(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/r", merged(baseRoles["leased"], map[string]any{"min_reset_interval": 0, "ttl": "2h"}))
	first := h.lease(t, "creds/r").Data
	before := h.read(t, "roles/r")
	h.Cleanup(t.Context())
	again := newHarnessOn(t, h.storage, h.cloud)
	if got := again.read(t, "roles/r"); !maps.EqualFunc(got, before, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("the role is %v after a restart, was %v", got, before)
	}
	if got := again.lease(t, "creds/r").Data; got["password"] != first["password"] || got["version"] != 1 {
		t.Error("another password after a restart")
	}
}

func TestNewerStoredEntriesAreRefused(t *testing.T) {
	h := roleMount(t)
	for _, key := range []string{"role/x", "config/x", "key/x"} {
		if err := h.storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(`{"schema":99}`)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"roles/x", "config/x", "keys/x"} {
		resp, err := h.request(t, logical.ReadOperation, path, nil)
		if _, message := statusOf(resp, err); !strings.Contains(message, "newer plugin version") {
			t.Errorf("%s: %q", path, message)
		}
	}
}

func TestPagesOfRoles(t *testing.T) {
	h := roleMount(t)
	for i := range 5 {
		h.write(t, fmt.Sprintf("roles/r%d", i), merged(baseRoles["leased"], map[string]any{"username": fmt.Sprintf("u%d", i)}))
	}
	var all []string
	for after := ""; ; after = all[len(all)-1] {
		page := h.list(t, "roles", "after", after, "limit", 2)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	if !slices.Equal(all, []string{"r0", "r1", "r2", "r3", "r4"}) {
		t.Errorf("pages make %v", all)
	}
	h.refused(t, logical.ListOperation, "roles", map[string]any{"limit": -1}, http.StatusBadRequest, "limit")
}

// TestRoleCutShortOfItsDeleteReadsNothing: its accounts are free already, and the next role's readers are others.
func TestRoleCutShortOfItsDeleteReadsNothing(t *testing.T) {
	h := roleMount(t)
	storage := h.storage.(*logical.InmemStorage)
	web := merged(baseRoles["leased"], map[string]any{"min_reset_interval": 0})
	h.write(t, "roles/old", web)
	h.revoke(t, h.lease(t, "creds/old"))
	storage.Underlying().FailDelete(true)
	if _, err := h.request(t, logical.DeleteOperation, "roles/old", nil); err == nil {
		t.Fatal("a delete that storage refused succeeded")
	}
	storage.Underlying().FailDelete(false)
	for _, holder := range []string{"no role", "another role"} {
		says := map[string]string{"no role": "not bound to role old", "another role": "has moved to role new"}[holder]
		h.refused(t, logical.ReadOperation, "creds/old", nil, http.StatusConflict, says)
		h.refused(t, logical.UpdateOperation, "rotate-role/old", nil, http.StatusConflict, says)
		if holder == "no role" {
			h.write(t, "take-over/new", map[string]any{"from": "old"})
			h.write(t, "roles/new", web)
			h.lease(t, "creds/new")
		}
	}
	h.refused(t, logical.UpdateOperation, "roles/old", nil, http.StatusConflict, `"new"`)
	h.delete(t, "roles/old")
	h.lease(t, "creds/new")
}
