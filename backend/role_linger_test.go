package backend

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// TestOneIncompleteListUnbindsNobody: however a role's tags come to be resolved, an instance that the list lacks
// once stays, with its password.
func TestOneIncompleteListUnbindsNobody(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, m *refreshMount){
		"a client names an unknown instance": func(t *testing.T, m *refreshMount) {
			m.refused(t, logical.ReadOperation, "creds/r/srv-none", nil, http.StatusBadRequest, "no instance")
		},
		"an operator rotates an unknown one": func(t *testing.T, m *refreshMount) {
			m.refused(t, logical.UpdateOperation, "rotate-role/r/srv-none", nil, http.StatusBadRequest, "no instance")
		},
		"the instances are listed": func(t *testing.T, m *refreshMount) { m.list(t, "instances/r") },
		"the role is written":      func(t *testing.T, m *refreshMount) { m.write(t, "roles/r", nil) },
		"the role is written twice in a row": func(t *testing.T, m *refreshMount) {
			m.write(t, "roles/r", nil)
			m.write(t, "roles/r", nil)
		},
		"the background looks": func(t *testing.T, m *refreshMount) { m.round(t) },
		"it is listed and looked at in one moment": func(t *testing.T, m *refreshMount) {
			m.round(t)
			m.write(t, "roles/r", nil)
			m.list(t, "instances/r")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRefreshMount(t)
			m.lease(t, "creds/r/srv-1")
			resets, hidden := m.cloud.count("StartReset"), cloud.Instance{}
			m.cloud.change("srv-1", func(i *cloud.Instance) { hidden = *i })
			m.cloud.hide("srv-1")
			ask(t, m)
			if got := m.bound(t, "r"); got != "[srv-1 srv-2]" {
				t.Errorf("one list took an instance from the role: %s", got)
			}
			m.cloud.launch(hidden)
			m.round(t)
			if got := m.read(t, "accounts/c/srv-1/root"); got["role"] != "r" || got["state"] != "ready" || m.cloud.count("StartReset") != resets {
				t.Errorf("the account is %v of role %v after %d resets", got["state"], got["role"], m.cloud.count("StartReset")-resets)
			}
		})
	}
}

// TestClientsNeverTakeAnInstanceFromItsRole, however often they ask and however long it is missing.
func TestClientsNeverTakeAnInstanceFromItsRole(t *testing.T) {
	m := newRefreshMount(t)
	m.cloud.hide("srv-1")
	for range 5 {
		m.time.advance(time.Hour)
		m.list(t, "instances/r")
		m.refused(t, logical.ReadOperation, "creds/r/srv-none", nil, http.StatusBadRequest, "no instance")
	}
	if got := m.bound(t, "r"); got != "[srv-1 srv-2]" {
		t.Errorf("bound %s", got)
	}
}

// TestWritersLetGoWhatTheySee: an instance that is shown without the tags, or terminated, leaves a role that is
// written at once; one that the cloud does not show stays until a second look misses it too.
func TestWritersLetGoWhatTheySee(t *testing.T) {
	m := newRefreshMount(t)
	m.lease(t, "creds/r/srv-1")
	m.cloud.change("srv-1", func(i *cloud.Instance) { i.Tags = nil })
	m.write(t, "roles/r", nil)
	if got := m.bound(t, "r"); got != "[srv-2]" {
		t.Errorf("without its tag: %s", got)
	}
	if got := m.read(t, "accounts/c/srv-1/root"); got["role"] != "" || got["last_role"] != "r" || got["state"] == "gone" {
		t.Errorf("the account is %v of role %q", got["state"], got["role"])
	}
	m.cloud.hide("srv-2")
	m.write(t, "roles/r", nil)
	m.time.advance(rotation.MissApart - time.Second)
	m.write(t, "roles/r", nil)
	if got := m.bound(t, "r"); got != "[srv-2]" {
		t.Errorf("too soon: %s", got)
	}
	m.time.advance(time.Second)
	m.write(t, "roles/r", nil)
	if got := m.bound(t, "r"); got != "[]" {
		t.Errorf("missed by two looks that are apart: %s", got)
	}
	if got := m.read(t, "accounts/c/srv-2/root"); got["state"] != "gone" {
		t.Errorf("the account of an instance that is gone: %v", got["state"])
	}
}

// TestTerminatedInstancesThatAreStillListedAreRetired: clouds show them for a while.
func TestTerminatedInstancesThatAreStillListedAreRetired(t *testing.T) {
	for _, kind := range []string{"tagged", "listed"} {
		t.Run(kind, func(t *testing.T) {
			m := newRefreshMount(t)
			if kind == "listed" {
				m.delete(t, "roles/r")
				m.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1,srv-2", "force_stop": true})
			}
			m.cloud.change("srv-1", func(i *cloud.Instance) { i.State = cloud.StateGone })
			m.round(t)
			m.round(t)
			if got := m.read(t, "accounts/c/srv-1/root")["state"]; got != "gone" {
				t.Errorf("the account is %v", got)
			}
		})
	}
}
