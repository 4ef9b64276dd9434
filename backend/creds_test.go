package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// leasedRole is a mount with a leased role on one server.
func leasedRole(t *testing.T, changes map[string]any) *harness {
	t.Helper()
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Name: "web-1", Platform: cloud.Linux, PrivateIP: "10.0.0.1"})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", merged(map[string]any{
		"connection": "prod", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0,
	}, changes))
	return h
}

func (h *harness) lease(t *testing.T, path string) *logical.Response {
	t.Helper()
	resp := h.ok(t, logical.ReadOperation, path, map[string]any{"wait": "45s"})
	if resp.Secret == nil {
		t.Fatalf("%s: no lease", path)
	}
	resp.Secret = viaJSON(t, resp.Secret)
	resp.Secret.IssueTime = time.Now()
	return resp
}

func TestLeasedReadRevokeAndRotate(t *testing.T) {
	h := leasedRole(t, nil)
	if n := h.cloud.count("StartReset"); n != 0 {
		t.Fatalf("writing a leased role made %d resets", n)
	}
	first := h.lease(t, "creds/web")
	if got, want := first.Data["password"], h.cloud.password("srv-1"); got != want || want == "" {
		t.Fatalf("password %v, the server has %v", got, want)
	}
	for field, want := range map[string]any{
		"username": "root", "instance_id": "srv-1", "instance_name": "web-1", "private_ip": "10.0.0.1", "public_ip": "",
		"platform": "linux", "connection": "prod", "source": "reset", "version": 1,
	} {
		if first.Data[field] != want {
			t.Errorf("%s = %v, want %v", field, first.Data[field], want)
		}
	}
	if len(first.Data) != 12 {
		t.Errorf("%d fields, want 12: %v", len(first.Data), first.Data)
	}
	if s := first.Secret; s.TTL != time.Hour || s.MaxTTL > 24*time.Hour || s.MaxTTL < 23*time.Hour || !s.Renewable {
		t.Errorf("lease %+v", s)
	}
	calls := h.cloud.count()
	second := h.lease(t, "creds/web/srv-1")
	if second.Data["password"] != first.Data["password"] || second.Data["version"] != 1 {
		t.Error("a second reader of a shared check-out got another password")
	}
	if n := h.cloud.count(); n != calls {
		t.Errorf("the read of a rotated account made %d cloud calls", n-calls)
	}
	h.revoke(t, first)
	if h.cloud.count("StartReset") != 1 {
		t.Error("the account rotated although a lease was left")
	}
	h.revoke(t, second)
	h.revoke(t, second) // Vault may repeat it
	h.waitFor(t, "accounts/prod/srv-1/root", func(account map[string]any) bool {
		return account["current_version"] == 2 && account["state"] == "ready"
	})
	third := h.lease(t, "creds/web")
	if third.Data["version"] != 2 || third.Data["password"] == first.Data["password"] || third.Data["password"] != h.cloud.password("srv-1") {
		t.Errorf("after the last lease: version %v", third.Data["version"])
	}
	if n := h.cloud.count("StartReset"); n != 2 {
		t.Errorf("%d resets, want 2: one for each completed lease", n)
	}
}

func (h *harness) revoke(t *testing.T, resp *logical.Response) {
	t.Helper()
	req := logical.RevokeRequest("creds/web", resp.Secret, resp.Data)
	req.Storage = h.storage
	if _, err := h.HandleRequest(t.Context(), req); err != nil {
		t.Fatalf("revoke: %v", err)
	}
}

// waitFor reads an account until it is as wanted.
func (h *harness) waitFor(t *testing.T, path string, is func(map[string]any) bool) map[string]any {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	end := time.After(time.Minute)
	for {
		account := h.read(t, path)
		if is(account) {
			return account
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("%s did not come to the wanted state: %v", path, account)
		}
	}
}

func TestRenew(t *testing.T) {
	h := leasedRole(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	lease := h.lease(t, "creds/web")
	renew := func(increment time.Duration) (*logical.Response, error) {
		secret := *lease.Secret
		secret.Increment = increment
		req := logical.RenewRequest("creds/web", &secret, lease.Data)
		req.Storage = h.storage
		return h.HandleRequest(t.Context(), req)
	}
	resp, err := renew(10 * time.Hour)
	if err != nil || resp.IsError() {
		t.Fatalf("renew: %v %v", resp, err)
	}
	if resp.Secret.TTL != time.Hour {
		t.Errorf("TTL %s, want 1h", resp.Secret.TTL)
	}
	if m := resp.Secret.MaxTTL; m <= 0 || m > 2*time.Hour+time.Second {
		t.Errorf("MaxTTL %s, want at most 2h from the issue time", m)
	}
	h.revoke(t, lease)
	resp, err = renew(time.Hour)
	if status, message := statusOf(resp, err); status != http.StatusBadRequest || !strings.Contains(message, "read a new password") {
		t.Errorf("renewal of a revoked lease: %d %s", status, message)
	}
}

func TestBrokenLease(t *testing.T) {
	h := leasedRole(t, nil)
	good := map[string]any{"secret_type": passwordType, "account": "prod/srv-1/root", "version": 1, "nonce": "n"}
	for name, change := range map[string]map[string]any{
		"no account":     {"account": nil},
		"broken account": {"account": "prod/srv-1"},
		"no version":     {"version": nil},
		"text version":   {"version": "one"},
		"no nonce":       {"nonce": nil},
	} {
		for _, op := range []logical.Operation{logical.RenewOperation, logical.RevokeOperation} {
			req := &logical.Request{Operation: op, Storage: h.storage, Secret: &logical.Secret{InternalData: merged(good, change)}}
			if _, err := h.HandleRequest(t.Context(), req); err == nil {
				t.Errorf("%s of a lease with %s succeeds", op, name)
			}
		}
	}
	// A lease of which the account knows nothing is over.
	req := &logical.Request{Operation: logical.RevokeOperation, Storage: h.storage, Secret: &logical.Secret{InternalData: good}}
	if _, err := h.HandleRequest(t.Context(), req); err != nil {
		t.Errorf("revoke of an unknown lease: %v", err)
	}
}

func TestExclusiveCheckout(t *testing.T) {
	h := leasedRole(t, map[string]any{"checkout": "exclusive"})
	lease := h.lease(t, "creds/web")
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusConflict, "checked out")
	h.revoke(t, lease)
	h.lease(t, "creds/web")
}

func TestFirstReadAnswersUnavailable(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "the server is moving house"))
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "prod/srv-1/root", "wait")
	h.waitFor(t, "accounts/prod/srv-1/root", func(account map[string]any) bool {
		return strings.Contains(fmt.Sprint(account["last_error"]), "moving house")
	})
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "moving house")
}

func TestWaitIsBounded(t *testing.T) {
	h := leasedRole(t, nil)
	h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "46s"}, http.StatusBadRequest, "wait", "45s")
	h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "-1s"}, http.StatusBadRequest, "wait")
	h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "soon"}, http.StatusBadRequest, "wait")
}

func TestWhichInstance(t *testing.T) {
	h := newHarness(t)
	var ids []string
	for i := range 12 {
		id := fmt.Sprintf("srv-%02d", i)
		ids = append(ids, id)
		h.cloud.launch(cloud.Instance{ID: id, Name: "web-" + id[4:], PrivateIP: "10.0.0." + id[5:]})
	}
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": ids, "force_stop": true, "min_reset_interval": 0})
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusBadRequest, "12 instances", "creds/web/srv-00", "srv-09 and 2 more")
	h.refused(t, logical.ReadOperation, "creds/web/srv-99", nil, http.StatusBadRequest, "no instance", "srv-99", "instances/web")
	h.refused(t, logical.ReadOperation, "creds/other", nil, http.StatusBadRequest, "unknown role other")
	h.lease(t, "creds/web/srv-03")
	if got := h.list(t, "instances/web/"); len(got) != 12 || got[11] != "srv-11" {
		t.Errorf("instances/web lists %v", got)
	}
	if got := h.list(t, "instances/web", "after", "srv-03", "limit", 2); fmt.Sprint(got) != "[srv-04 srv-05]" {
		t.Errorf("a page of instances/web is %v", got)
	}
	// What people call them.
	resp := h.ok(t, logical.ListOperation, "instances/web", map[string]any{"limit": 3})
	info, _ := resp.Data["key_info"].(map[string]any)
	if one, _ := info["srv-02"].(map[string]any); len(info) != 3 || one["name"] != "web-02" || one["address"] != "10.0.0.2" {
		t.Errorf("the names of instances/web: %v", info)
	}
	// Without an account in memory, as while they are loaded, nothing is known but what the role says.
	h.ok(t, logical.DeleteOperation, "accounts/prod/srv-02/Administrator", forced)
	resp = h.ok(t, logical.ListOperation, "instances/web", nil)
	info, _ = resp.Data["key_info"].(map[string]any)
	if got := fmt.Sprint(info["srv-02"]); got != "map[shared_password:false username:Administrator]" {
		t.Errorf("without its account srv-02 is %s", got)
	}
}

func TestStaticRoleRotatesWhenWritten(t *testing.T) {
	h := leasedRole(t, map[string]any{"mode": "static", "skip_import_rotation": false})
	resp := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s"})
	if resp.Secret != nil {
		t.Error("a static role gave a lease")
	}
	if resp.Data["password"] != h.cloud.password("srv-1") {
		t.Error("the password is not the server's")
	}
	before := h.cloud.count("StartReset")
	h.write(t, "roles/web", map[string]any{"custom_metadata": "owner=ops"})
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	if n := h.cloud.count("StartReset") - before; n != 1 {
		t.Errorf("a later write and one rotate-role made %d resets, want 1", n)
	}
	resp = h.ok(t, logical.ReadOperation, "creds/web", nil)
	if resp.Data["version"] != 2 || resp.Data["last_vault_rotation"] == "" {
		t.Errorf("after rotate-role: %v", resp.Data["version"])
	}
}

func TestStaticRoleSkipsRotation(t *testing.T) {
	h := leasedRole(t, map[string]any{"mode": "static"}) // force_stop skips by default
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "rotate-role")
	resp := h.write(t, "rotate-role/web/srv-1", map[string]any{"wait": "45s"})
	state := resp.Data["accounts"].(map[string]any)["srv-1"].(map[string]any)
	if state["state"] != "ready" || state["current_version"] != 1 {
		t.Errorf("rotate-role answered %v", state)
	}
	if got := h.read(t, "creds/web")["password"]; got != h.cloud.password("srv-1") {
		t.Error("the password is not the server's")
	}
}

func TestRotateRole(t *testing.T) {
	h := leasedRole(t, nil)
	h.refusedWrite(t, "rotate-role/none", nil, "unknown role")
	h.refusedWrite(t, "rotate-role/web/srv-7", nil, "no instance")
	h.refusedWrite(t, "rotate-role/web", map[string]any{"wait": "1h"}, "wait")
	h.cloud.launch(cloud.Instance{ID: "srv-2"})
	h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2"})
	accounts := h.write(t, "rotate-role/web", map[string]any{"wait": "45s"}).Data["accounts"].(map[string]any)
	for _, id := range []string{"srv-1", "srv-2"} {
		state, _ := accounts[id].(map[string]any)
		if state["current_version"] != 1 || state["username"] == "" {
			t.Errorf("%s: %v", id, accounts[id])
		}
	}
}

func TestRevokedRoleOfAllowedRoles(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	resp := h.write(t, "config/prod", map[string]any{"allowed_roles": "db-*"})
	if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "web") {
		t.Errorf("no warning that role web is left out: %v", resp)
	}
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusBadRequest, "allowed_roles")
	h.write(t, "config/prod", map[string]any{"allowed_roles": "db-*,w*"})
	h.lease(t, "creds/web")
}
