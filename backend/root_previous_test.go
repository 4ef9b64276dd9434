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

// previousField holds the previous secret of a cloud whose credentials cannot be deleted everywhere at once.
const previousField = "previous_secret"

// newPreviousMount is a mount whose cloud wants the previous secret kept while some of its places still know no other.
func newPreviousMount(t *testing.T) *rootMount {
	t.Helper()
	m := newRootMount(t)
	m.keys.keeps = true
	m.restart(t)
	return m
}

// remaining makes the cloud refuse to delete the old credential, for places that remain.
func (f *fakeKeys) remaining(places string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.denied, "DeleteCredential")
	if places != "" {
		f.denied["DeleteCredential"] = cloud.Errorf(cloud.NotReady, "2 of 9 places know only the old one: %s", places)
	}
}

func TestPreviousCredentialIsKeptUntilTheOldOneIsDeleted(t *testing.T) {
	m := newPreviousMount(t)
	m.keys.remaining("east, west")
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "works with the new credential AK-1",
		"2 of 9 places know only the old one: east, west", "write rotate-root/prod")
	m.checkSound(t, "while places remain")
	if own := m.storedConnection(t).Own; own[previousField] != "s3cr3t-key" || own["secret_key"] != "s3cr3t-new-1" {
		t.Fatal("the connection keeps another previous secret, or none")
	}
	// The provider has it, and no client.
	provider, err := m.core.Provider(t.Context(), "prod")
	if err != nil || provider.(*fakeRotator).config.Values[previousField] != "s3cr3t-key" {
		t.Fatalf("the provider has not the previous secret: %v", err)
	}
	data := m.read(t, "config/prod")
	state := data["root_rotation"].(map[string]any)
	if state["step"] != "stored" || !strings.Contains(fmt.Sprint(state["last_error"]), "east, west") {
		t.Errorf("root_rotation %v", state)
	}
	if _, told := data[previousField]; told || strings.Contains(fmt.Sprint(data, m.statusDetails(t)), "s3cr3t") {
		t.Errorf("the connection reads %v", data)
	}
	// A further rotate-root finishes this one first.
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "east, west")
	if m.keys.made != 1 {
		t.Fatalf("%d credentials made", m.keys.made)
	}
	m.finish(t)
	m.keys.remaining("")
	m.time.advance(2 * time.Hour)
	m.finish(t)
	final := m.storedConnection(t)
	if _, kept := final.Own[previousField]; kept || final.RootRotation != nil || !slices.Equal(m.keys.ids(), []string{"AK-1"}) {
		t.Errorf("in the end: kept %v, under way %v, credentials %v", kept, final.RootRotation, m.keys.ids())
	}
	if provider, err = m.core.Provider(t.Context(), "prod"); err != nil || provider.(*fakeRotator).config.Values[previousField] != "" {
		t.Errorf("the provider still has the previous secret: %v", err)
	}
	resp := m.write(t, "rotate-root/prod", nil)
	if resp.Data["previous_credential_id"] != "AK-1" || resp.Data["resumed"] != false {
		t.Errorf("the next rotation answers %v", resp.Data)
	}
}

// Nobody writes an internal field, and nothing describes it.
func TestInternalFieldsAreNoFieldsOfAWrite(t *testing.T) {
	m := newPreviousMount(t)
	m.refusedWrite(t, "config/prod", map[string]any{previousField: "x"}, previousField)
	registry := m.keys.registry()
	if connection.Schemas(registry)[previousField] != nil || connection.ResponseSchemas(registry)[previousField] != nil {
		t.Error("a schema has the internal field")
	}
	if help := connection.FieldHelp(registry); strings.Contains(help, previousField) {
		t.Errorf("the help lists it: %s", help)
	}
}

// A write in the middle of a rotation does not lose the previous credential unless it says that it means to.
func TestWritesWhileThePreviousCredentialIsNeeded(t *testing.T) {
	another := map[string]any{"access_key": "AK-own", "secret_key": "s3cr3t-own"}
	place := map[string]any{"endpoints": "compute=https://other.example.com", "secret_key": "s3cr3t-new-1"}
	for name, c := range map[string]struct {
		write   map[string]any
		refused string
	}{
		"a setting":                    {map[string]any{"max_requests_per_second": 3}, ""},
		"a setting, unverified":        {map[string]any{"max_requests_per_second": 3, "verify_connection": false}, ""},
		"the same secret":              {map[string]any{"secret_key": "s3cr3t-new-1"}, ""},
		"another credential":           {another, "access_key, secret_key"},
		"another place":                {place, "endpoints"},
		"another credential, insisted": {merged(another, map[string]any{"verify_connection": false}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newPreviousMount(t)
			m.keys.secrets["AK-own"] = "s3cr3t-own"
			m.keys.limit = 3
			m.keys.remaining("east")
			m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "east")
			if c.refused != "" {
				m.refused(t, logical.UpdateOperation, "config/prod", c.write, http.StatusConflict, c.refused+": rotate-root/prod is not finished",
					"vault write -force cloudpw/rotate-root/prod", "verify_connection=false")
				if own := m.storedConnection(t).Own; own[previousField] != "s3cr3t-key" {
					t.Error("a refused write has emptied the previous secret")
				}
				return
			}
			resp := m.write(t, "config/prod", c.write)
			stored := m.storedConnection(t)
			if _, abandons := c.write["access_key"]; !abandons {
				if stored.Own[previousField] != "s3cr3t-key" || stored.RootRotation == nil {
					t.Error("the rotation is forgotten")
				}
				return
			}
			if resp == nil || !strings.Contains(fmt.Sprint(resp.Warnings), "abandoned; delete credential AK at the cloud") ||
				strings.Contains(m.stored(t, connection.Prefix), "s3cr3t-key") || !slices.Equal(stored.LeftoverIDs(), []string{"AK"}) {
				t.Errorf("answer %v, leftovers %v", resp, stored.LeftoverIDs())
			}
		})
	}
	// verify_connection=false of an earlier write insists on nothing.
	m := newPreviousMount(t)
	m.write(t, "config/prod", map[string]any{"verify_connection": false})
	m.keys.remaining("east")
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "east")
	m.refused(t, logical.UpdateOperation, "config/prod", another, http.StatusConflict, "not finished")
}

// A rotation that is struck at any step keeps the previous secret for as long as it is needed, and no longer.
func TestPreviousCredentialAtEveryStep(t *testing.T) {
	for _, crash := range []bool{true, false} {
		for n := 1; ; n++ {
			m := newPreviousMount(t)
			m.keys.mishap.arm(n, crash)
			_, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil)
			where := m.keys.mishap.end()
			if where == "" {
				if err != nil {
					t.Fatalf("the rotation failed by itself: %v", err)
				}
				break
			}
			c := m.storedConnection(t)
			needs := c.RootRotation != nil && c.RootRotation.Step == connection.RootStored
			if kept := c.Own[previousField] != ""; kept != needs {
				t.Fatalf("struck at %s (crash %v): the previous secret is kept: %v, needed: %v", where, crash, kept, needs)
			}
			m.restart(t)
			for range 3 {
				m.time.advance(2 * time.Hour)
				m.finish(t)
			}
			c = m.storedConnection(t)
			if c.RootRotation != nil || c.Own[previousField] != "" || !m.keys.works(c.Own["access_key"], c.Own["secret_key"]) {
				t.Fatalf("struck at %s (crash %v): in the end %v is under way", where, crash, c.RootRotation)
			}
		}
	}
}

// The period goes on from the end of a rotation, and none begins while one is unfinished.
func TestRotationPeriodWhilePlacesRemain(t *testing.T) {
	m := newPreviousMount(t)
	m.write(t, "config/prod", map[string]any{"rotation_period": "240h"})
	m.keys.remaining("east")
	m.time.advance(300 * time.Hour)
	m.due(t)
	for range 3 {
		m.time.advance(300 * time.Hour)
		m.due(t)
		m.finish(t)
	}
	if m.keys.made != 1 {
		t.Fatalf("%d credentials made while one rotation is unfinished", m.keys.made)
	}
	m.keys.remaining("")
	m.time.advance(2 * time.Hour)
	m.finish(t)
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-1"}) {
		t.Fatalf("credentials %v", ids)
	}
	if next := timeOf(t, m.read(t, "config/prod"), "next_root_rotation"); next.Sub(m.time.clock().now()) < 200*time.Hour {
		t.Errorf("the next rotation is due at %s", next)
	}
}
