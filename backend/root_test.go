package backend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

func TestRotateRoot(t *testing.T) {
	m := newRootMount(t)
	m.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	m.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0})
	m.keys.slow = 4
	started := m.time.now
	resp := m.write(t, "rotate-root/prod", nil)
	if fmt.Sprint(resp.Data) != "map[credential_id:AK-1 previous_credential_id:AK resumed:false]" || len(resp.Warnings) != 0 {
		t.Errorf("answer %v, warnings %v", resp.Data, resp.Warnings)
	}
	if waited := m.time.now.Sub(started); waited != 15*time.Second { // 1 + 2 + 4 + 8
		t.Errorf("waited %s for a cloud that refuses four calls", waited)
	}
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-1"}) {
		t.Errorf("credentials %v", ids)
	}
	data := m.read(t, "config/prod")
	if data["last_root_rotation"] == "" || data["root_rotation"] != nil || strings.Contains(fmt.Sprint(data), "s3cr3t") {
		t.Errorf("the connection reads %v", data)
	}
	m.lease(t, "creds/web") // the core uses the new credential
	m.restart(t)
	m.write(t, "roles/web", map[string]any{"ttl": "2h"})
}

// TestRotateRootLeavesOtherConnectionsTheirCredential: one that another connection uses is not deleted.
func TestRotateRootLeavesOtherConnectionsTheirCredential(t *testing.T) {
	m := newRootMount(t)
	m.connection(t, "region-2", rootCloud)
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusConflict, "connection prod keeps its credential",
		"other connections use the same credential", "region-2", "vault read cloudpw/config/region-2")
	if ids := m.keys.ids(); m.keys.made != 0 || !slices.Equal(ids, []string{"AK"}) {
		t.Errorf("%d credentials made, there are %v", m.keys.made, ids)
	}
	m.delete(t, "config/region-2")
	m.write(t, "rotate-root/prod", nil)
}

func TestRotateRootRefusals(t *testing.T) {
	m := newRootMount(t)
	m.refused(t, logical.UpdateOperation, "rotate-root/none", nil, http.StatusBadRequest, "config/none")
	m.connection(t, "other", resetCloud)
	m.refused(t, logical.UpdateOperation, "rotate-root/other", nil, http.StatusBadRequest, "cannot replace its credentials", "config/other",
		"secret_key")
	m.keys.secrets["AK-old"] = "x"
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "keeps its credential",
		"as many as the cloud allows")
	m.keys.forget("AK-old")
	m.keys.denied["OwnCredentials"] = cloud.Errorf(cloud.Denied, "lack the permission to list")
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "cannot list", "lack the permission")
	delete(m.keys.denied, "OwnCredentials")
	m.checkSound(t, "after refusals")
	if r := m.storedConnection(t).RootRotation; r != nil {
		t.Errorf("a refused rotation is under way: %v", r)
	}
	end, ok := m.root.Claim("prod")
	if !ok {
		t.Fatal("something runs")
	}
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusConflict, "is running")
	m.refused(t, logical.UpdateOperation, "config/prod", map[string]any{"secret_key": "x"}, http.StatusConflict, "is running")
	m.refused(t, logical.DeleteOperation, "config/prod", nil, http.StatusConflict, "not finished")
	end()
	m.write(t, "rotate-root/prod", nil)
}

// A cloud that does not accept the new credential for long: the old one stays in use, and after a
// while the new one is given up.
func TestNewCredentialThatNeverWorks(t *testing.T) {
	m := newRootMount(t)
	m.keys.slow = 1000
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "AK-1", "does not accept it yet", "rotate-root/prod")
	state := m.read(t, "config/prod")["root_rotation"].(map[string]any)
	if state["step"] != "created" || state["new_credential_id"] != "AK-1" || !strings.Contains(state["last_error"].(string), "not known yet") {
		t.Errorf("root_rotation %v", state)
	}
	if c := m.storedConnection(t); c.Own["access_key"] != "AK" {
		t.Errorf("the connection uses %s", c.Own["access_key"])
	}
	m.refused(t, logical.DeleteOperation, "config/prod", nil, http.StatusConflict, "rotate-root/prod", "not finished")
	m.finish(t)
	m.checkSound(t, "after a further try")
	m.time.advance(15 * time.Minute)
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "given up", "keeps the old one")
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK"}) || m.storedConnection(t).RootRotation != nil {
		t.Errorf("credentials %v, under way %v", ids, m.storedConnection(t).RootRotation)
	}
}

// The old credential cannot be deleted: the new one is in use, and the background goes on trying.
func TestNewCredentialThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   cloud.Values
		says    string
		unknown bool // whether one was made, and under which id, is not known
	}{
		"without an id":             {cloud.Values{"access_key": ""}, "a credential without an id", true},
		"with a field of others":    {cloud.Values{"nimbus_token": "x"}, "nimbus_token: provider rootcloud has no such field", false},
		"with a value that is none": {cloud.Values{"secret_key": "'quoted'"}, "secret_key: character 1 is a quotation mark", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRootMount(t)
			m.keys.spoil = c.spoil
			resp, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil)
			if status, message := statusOf(resp, err); status < http.StatusBadRequest || !strings.Contains(message, c.says) ||
				strings.Contains(message, "s3cr3t") {
				t.Errorf("%d %s", status, message)
			}
			stored := m.storedConnection(t)
			if stored.Own["access_key"] != "AK" || stored.Own["secret_key"] != "s3cr3t-key" {
				t.Errorf("the connection uses %s", stored.Own["access_key"])
			}
			if (stored.RootRotation != nil) != c.unknown || c.unknown != slices.Contains(m.keys.ids(), "AK-1") {
				t.Errorf("the rotation is %+v, the cloud has %v", stored.RootRotation, m.keys.ids())
			}
		})
	}
}

func TestOldCredentialThatStays(t *testing.T) {
	m := newRootMount(t)
	m.keys.denied["DeleteCredential"] = cloud.Errorf(cloud.Denied, "lack the permission to delete")
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "AK-1 now", "old one, AK, could not be deleted",
		"lack the permission")
	state := m.read(t, "config/prod")["root_rotation"].(map[string]any)
	if state["step"] != "stored" || state["old_credential_id"] != "AK" || state["new_credential_id"] != "AK-1" {
		t.Errorf("root_rotation %v", state)
	}
	m.finish(t)
	delete(m.keys.denied, "DeleteCredential")
	m.finish(t) // too early
	if len(m.keys.ids()) != 2 {
		t.Error("the background did not wait between its tries")
	}
	m.time.advance(time.Hour)
	m.finish(t)
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-1"}) || m.storedConnection(t).RootRotation != nil {
		t.Errorf("credentials %v", ids)
	}
}

func TestResumedRotation(t *testing.T) {
	m := newRootMount(t)
	m.keys.slow = 1000
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "yet")
	m.keys.unripe["AK-1"] = 0
	m.restart(t)
	if resp := m.write(t, "rotate-root/prod", nil); resp.Data["resumed"] != true || resp.Data["credential_id"] != "AK-1" {
		t.Errorf("answer %v", resp.Data)
	}
}

// An operator writes other credentials, or another place to use them: the new secret, which belongs to
// the old place, is dropped, and what it was for is reported.
func TestWritingAConnectionAbandonsItsRotation(t *testing.T) {
	for name, c := range map[string]struct {
		write    map[string]any
		abandons bool
	}{
		"another key":       {map[string]any{"access_key": "AK2", "secret_key": "x"}, true},
		"another secret":    {map[string]any{"secret_key": "x"}, true},
		"another endpoint":  {map[string]any{"secret_key": "s3cr3t-key", "endpoints": "compute=https://example.com"}, true},
		"another authority": {map[string]any{"secret_key": "s3cr3t-key", "ca_certificate": testCA}, true},
		"another limit":     {map[string]any{"max_requests_per_second": 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRootMount(t)
			m.keys.slow = 1000
			m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "yet")
			resp := m.write(t, "config/prod", merged(c.write, map[string]any{"verify_connection": false}))
			stored := m.stored(t, connection.Prefix)
			if !c.abandons {
				if m.storedConnection(t).RootRotation == nil || !strings.Contains(stored, "s3cr3t-new-1") {
					t.Error("the rotation is forgotten")
				}
				return
			}
			if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "AK-1") || strings.Contains(stored, "s3cr3t-new-1") {
				t.Errorf("answer %v, stored %s", resp, stored)
			}
			if ids := m.storedConnection(t).LeftoverIDs(); !slices.Equal(ids, []string{"AK-1"}) {
				t.Errorf("leftovers %v", ids)
			}
			resp = m.ok(t, logical.DeleteOperation, "config/prod", nil)
			if resp == nil || !strings.Contains(strings.Join(resp.Warnings, " "), "AK-1") {
				t.Errorf("the delete answers %v", resp)
			}
		})
	}
}

func TestAbandonedInOtherSteps(t *testing.T) {
	m := newRootMount(t)
	m.keys.denied["DeleteCredential"] = cloud.Errorf(cloud.Denied, "no")
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "AK")
	resp := m.write(t, "config/prod", map[string]any{"access_key": "AKX", "secret_key": "x", "verify_connection": false})
	if len(resp.Warnings) != 1 || !slices.Equal(m.storedConnection(t).LeftoverIDs(), []string{"AK"}) {
		t.Errorf("warnings %v, leftovers %v", resp.Warnings, m.storedConnection(t).LeftoverIDs())
	}
	m = newRootMount(t)
	m.keys.mishap.arm(5, false)
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadGateway, "may have made")
	m.keys.mishap.end()
	resp = m.write(t, "config/prod", map[string]any{"access_key": "AKX", "secret_key": "x", "verify_connection": false})
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "next to AK") {
		t.Errorf("warnings %v", resp.Warnings)
	}
}

// A user's password is replaced by an application credential, and cannot be deleted.
func TestRotateRootOfAPassword(t *testing.T) {
	m := newRootMount(t)
	m.keys.passwords = true
	m.write(t, "config/user", map[string]any{"provider": rootCloud, "region": "r", "username": "u", "password": "pw", "user_domain_name": "d",
		"project_name": "p"})
	resp := m.write(t, "rotate-root/user", nil)
	if resp.Data["previous_credential_id"] != "" || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "password") {
		t.Errorf("answer %v, warnings %v", resp.Data, resp.Warnings)
	}
	data := m.read(t, "config/user")
	if data[applicationIDField] != "AK-1" || data["username"] != "" || data["user_domain_name"] != "" || data["project_name"] != "" {
		t.Errorf("the connection reads %v", data)
	}
	if strings.Contains(m.stored(t, connection.Prefix+"user"), `"pw"`) {
		t.Error("the password is kept")
	}
}

func TestRotateRootNeedsSudo(t *testing.T) {
	h := newHarness(t)
	for _, prefix := range []string{rotateRootPrefix, rotateConnectionPrefix} {
		if !slices.Contains(h.SpecialPaths().Root, prefix+"*") {
			t.Errorf("%s is not for sudo only", prefix)
		}
	}
}
