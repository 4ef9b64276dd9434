package backend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// ask is what the background does every minute.
func (m *rootMount) ask(t *testing.T) {
	t.Helper()
	if err := m.connections.AskAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// askedTimes checks how often the cloud was asked for the credential since the last time.
func (m *rootMount) askedTimes(t *testing.T, want int, when string) {
	t.Helper()
	m.keys.mu.Lock()
	defer m.keys.mu.Unlock()
	if m.keys.asked != want {
		t.Errorf("%s: the cloud was asked %d times, want %d", when, m.keys.asked, want)
	}
	m.keys.asked = 0
}

func TestCredentialIsTold(t *testing.T) {
	m := newRootMount(t)
	m.askedTimes(t, 1, "at the write")
	now := m.time.clock().now().Truncate(time.Second)
	made := now.Add(-400 * 24 * time.Hour)
	m.keys.told = map[string]cloud.Credential{"AK": {Created: made, Expires: now.Add(40 * 24 * time.Hour)}}
	data := m.read(t, "config/prod")
	if data["credential_id"] != "AK" || data["credential_created"] != nil || data["credential_age"] != int64(0) {
		t.Errorf("a cloud that tells nothing: %v", data)
	}
	m.ask(t)
	m.askedTimes(t, 0, "right after the write")
	m.time.advance(24 * time.Hour)
	m.ask(t)
	m.ask(t)
	m.askedTimes(t, 1, "a day later")
	data = m.read(t, "config/prod")
	if !timeOf(t, data, "credential_created").Equal(made) || data["credential_age"] != int64(401*24*3600) &&
		data["credential_age"] != int64(401*24*3600+1) || !timeOf(t, data, "credential_expires").Equal(now.Add(40*24*time.Hour)) {
		t.Errorf("told %v", data)
	}
	if warnings := m.read(t, "status")["warnings"].([]string); len(warnings) != 0 {
		t.Errorf("39 days before the end: %v", warnings)
	}
	m.time.advance(10 * 24 * time.Hour)
	status := m.read(t, "status")
	if warnings := status["warnings"].([]string); len(warnings) != 1 || !strings.Contains(warnings[0], "prod") ||
		!strings.Contains(warnings[0], "in 28 days") || !strings.Contains(warnings[0], "config/prod") {
		t.Errorf("28 days before the end: %v", warnings)
	}
	if resp := m.write(t, "config/prod", map[string]any{"max_requests_per_second": 7}); resp == nil ||
		!strings.Contains(strings.Join(resp.Warnings, " "), "its credential ends at") {
		t.Errorf("a write answers %v", resp)
	}
	m.time.advance(30 * 24 * time.Hour)
	if warnings := m.read(t, "status")["warnings"].([]string); len(warnings) != 1 || !strings.Contains(warnings[0], "has ended") {
		t.Errorf("after the end: %v", warnings)
	}
	m.askedTimes(t, 0, "by reads and a write that changes no credential")
	state := m.statusDetails(t)["connections"].(map[string]any)["prod"].(map[string]any)
	if state["credential_expires"] != data["credential_expires"] || state["credential_id"] != nil {
		t.Errorf("status says %v", state)
	}
}

// A cloud that refuses the question is no failure: the age is then that since Vault was given the credential.
func TestCredentialThatIsNotTold(t *testing.T) {
	m := newRootMount(t)
	m.keys.denied["Credential"] = cloud.Errorf(cloud.Denied, "lack the permission x:List")
	m.time.advance(24 * time.Hour)
	m.ask(t)
	data := m.read(t, "config/prod")
	if !strings.Contains(fmt.Sprint(data["credential_error"]), "x:List") || data["credential_id"] != "AK" ||
		data["credential_created"] != nil || data["credential_age"] != int64(86400) {
		t.Errorf("the connection reads %v", data)
	}
	if warnings := m.read(t, "status")["warnings"].([]string); len(warnings) != 0 {
		t.Errorf("warnings %v", warnings)
	}
	m.write(t, "config/prod", map[string]any{"max_requests_per_second": 7})
	// check/ asks at once, since it is what people type after they have granted something.
	delete(m.keys.denied, "Credential")
	made := m.time.clock().now().Truncate(time.Second).Add(-5 * time.Hour)
	m.keys.told = map[string]cloud.Credential{"AK": {Created: made}}
	checked := m.read(t, "check/prod")
	data = m.read(t, "config/prod")
	for _, got := range []map[string]any{checked, data} {
		if !timeOf(t, got, "credential_created").Equal(made) || got["credential_error"] != nil || got["credential_id"] != "AK" {
			t.Errorf("after a check: %v", got)
		}
	}
}

// What is told of one credential is not said of another.
func TestToldOfAnotherCredential(t *testing.T) {
	m := newRootMount(t)
	now := m.time.clock().now()
	m.keys.told = map[string]cloud.Credential{"AK": {Created: now.Add(-9999 * time.Hour), Expires: now.Add(time.Hour)}}
	m.read(t, "check/prod")
	m.askedTimes(t, 2, "by a write and a check")
	before := m.storedConnection(t)
	m.write(t, "rotate-root/prod", nil)
	m.askedTimes(t, 0, "by the rotation")
	data := m.read(t, "config/prod")
	if data["credential_id"] != "AK-1" || data["credential_expires"] != nil || data["credential_created"] != nil ||
		data["credential_age"] != int64(0) {
		t.Errorf("after a rotation: %v", data)
	}
	m.ask(t)
	m.askedTimes(t, 1, "after the rotation")
	// An answer that comes late is about the old one.
	if err := m.connections.StoreTold(t.Context(), "prod", before, before.Told); err != nil {
		t.Fatal(err)
	}
	if data := m.read(t, "config/prod"); data["credential_expires"] != nil {
		t.Errorf("after a late answer: %v", data)
	}
	m.keys.secrets["AK-own"] = "s3cr3t-own"
	m.write(t, "config/prod", map[string]any{"access_key": "AK-own", "secret_key": "s3cr3t-own"})
	m.askedTimes(t, 1, "by a write of another credential")
}

// Credentials of the surroundings have no id and no age here, and nobody is asked about them.
func TestAmbientCredentialsAreNotTold(t *testing.T) {
	h := newHarness(t)
	h.write(t, "config/c", map[string]any{"provider": resetCloud, "region": "r", ambientField: true})
	data := h.read(t, "config/c")
	for field := range connection.CredentialSchemas() {
		if data[field] != nil {
			t.Errorf("%s is %v", field, data[field])
		}
	}
	if told := []string{"credential_age"}; slices.ContainsFunc(told, func(field string) bool {
		return h.statusDetails(t)["connections"].(map[string]any)["c"].(map[string]any)[field] != nil
	}) {
		t.Error("status tells of them")
	}
}
