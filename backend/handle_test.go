package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Every operation of every path refuses a field that it does not know.
func TestUnknownFieldsAreRefused(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "keys/k", map[string]any{"generate": true})
	h.lease(t, "creds/web")
	samples := samplePaths()
	for _, path := range h.Paths {
		for op := range path.Operations {
			if op == logical.CreateOperation {
				op = logical.UpdateOperation
			}
			if op == logical.ReadOperation {
				continue // a read warns; see TestReadsWarnOfUnknownFields
			}
			h.refused(t, op, samples[path.Pattern], map[string]any{"surprise": "x"}, http.StatusBadRequest, "surprise", "unknown field")
		}
	}
	h.read(t, "config/prod") // nothing was deleted
	h.read(t, "roles/web")
}

func TestFieldsOfOtherOperationsAreRefused(t *testing.T) {
	h := leasedRole(t, nil)
	h.refused(t, logical.DeleteOperation, "config/prod", map[string]any{"region": "x"}, http.StatusBadRequest, "region")
	h.refused(t, logical.ListOperation, "config", map[string]any{"region": "x"}, http.StatusBadRequest, "takes after, limit")
	h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"role": "other"}, http.StatusBadRequest, "role", "part of the path")
	h.refusedWrite(t, "roles/web", map[string]any{"name": "other"}, "name", "part of the path")
}

func TestSensitiveValuesAreNotRepeated(t *testing.T) {
	h := newHarness(t)
	fields := 0
	for _, path := range h.Paths {
		for name, field := range path.Fields {
			if !request.IsSensitive(field) {
				continue
			}
			fields++
			target := map[string]string{"secret_key": "config/c", "security_token": "config/c", "password": "config/c", "client_secret": "config/c",
				applicationSecretField: "config/c",
				"private_key":          "keys/k", "passphrase": "keys/k"}[name]
			if strings.Contains(path.Pattern, importPrefix) {
				target = webImport
			}
			for _, value := range []any{map[string]any{"x": "HUSH"}, []any{"HUSH"}, []string{"HUSH"}} {
				resp, err := h.request(t, logical.UpdateOperation, target, map[string]any{name: value})
				status, message := statusOf(resp, err)
				if status != http.StatusBadRequest || strings.Contains(message, "HUSH") || !strings.Contains(message, name) {
					t.Errorf("%s = %v: %d %s", name, value, status, message)
				}
			}
		}
	}
	if fields != 8 {
		t.Errorf("%d secret fields, want 8", fields)
	}
}

func TestExistenceCheckIgnoresTheBody(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "c", resetCloud)
	for name, want := range map[string]bool{"c": true, "d": false} {
		found, exists, err := h.HandleExistenceCheck(t.Context(), &logical.Request{
			Operation: logical.UpdateOperation, Path: "config/" + name, Storage: h.storage,
			Data: map[string]any{"secret_key": map[string]any{"x": "HUSH"}, "request_timeout": "soon"},
		})
		if err != nil || !found || exists != want {
			t.Errorf("%s: found %v, exists %v, %v", name, found, exists, err)
		}
	}
}
