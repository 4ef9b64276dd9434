package backend

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// harness is a mount with clouds in memory. Every response that it gets is checked against the
// path's declared responses.
type harness struct {
	*backend
	storage logical.Storage
	system  *logical.StaticSystemView
	cloud   *fakeCloud
	by      rotation.Requester // who makes the requests, as Vault tells it
	from    string             // their address; empty: Vault does not tell it
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	return newHarnessOn(t, new(logical.InmemStorage), newFakeCloud())
}

// newHarnessOn is a mount on existing storage: a restart.
func newHarnessOn(t *testing.T, storage logical.Storage, fake *fakeCloud) *harness {
	t.Helper()
	return newHarnessWith(t, storage, fake, fake.registry())
}

func newHarnessWith(t *testing.T, storage logical.Storage, fake *fakeCloud, registry cloud.Registry) *harness {
	t.Helper()
	system := &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 32 * 24 * time.Hour,
		PluginEnvironment: &logical.PluginEnvironment{VaultVersion: "1.21.2"}}
	b, err := newBackend(t.Context(), &logical.BackendConfig{
		Logger: hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard}), System: system, StorageView: storage, BackendUUID: "test",
	}, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Initialize(t.Context(), &logical.InitializationRequest{Storage: storage}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Cleanup(context.Background()) })
	return &harness{backend: b, storage: storage, system: system, cloud: fake}
}

// request sends a request as Vault does: with an existence check before writes.
func (h *harness) request(t *testing.T, op logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	t.Helper()
	req := &logical.Request{Operation: op, Path: path, Data: data, Storage: h.storage, EntityID: h.by.EntityID, DisplayName: h.by.DisplayName}
	if h.from != "" {
		req.Connection = &logical.Connection{RemoteAddr: h.from}
	}
	if op == logical.UpdateOperation {
		found, exists, err := h.HandleExistenceCheck(t.Context(), req)
		if err != nil {
			t.Fatalf("existence check of %s: %v", path, err)
		}
		if found && !exists {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err := h.HandleRequest(t.Context(), req)
	if absent := op == logical.ReadOperation && resp == nil; err == nil && !absent && !resp.IsError() {
		if route := h.Route(path); route == nil {
			t.Fatalf("no path serves %s", path)
		} else {
			declared := schema.GetResponseSchema(t, route, req.Operation)
			schema.ValidateResponse(t, declared, resp, true)
			checkTypes(t, path, declared, resp)
		}
	}
	return resp, err
}

func (h *harness) ok(t *testing.T, op logical.Operation, path string, data map[string]any) *logical.Response {
	t.Helper()
	resp, err := h.request(t, op, path, data)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatalf("%s %s: %v", op, path, err)
	}
	return resp
}

func (h *harness) write(t *testing.T, path string, data map[string]any) *logical.Response {
	t.Helper()
	return h.ok(t, logical.UpdateOperation, path, data)
}

func (h *harness) read(t *testing.T, path string, query ...any) map[string]any {
	t.Helper()
	resp := h.ok(t, logical.ReadOperation, path, pairs(query))
	if resp == nil {
		t.Fatalf("read %s: nothing is there", path)
	}
	return resp.Data
}

// absent checks that a read finds nothing.
func (h *harness) absent(t *testing.T, path string) {
	t.Helper()
	if resp := h.ok(t, logical.ReadOperation, path, nil); resp != nil {
		t.Fatalf("read %s: %v, want nothing", path, resp.Data)
	}
}

func (h *harness) delete(t *testing.T, path string) {
	t.Helper()
	h.ok(t, logical.DeleteOperation, path, nil)
}

func (h *harness) list(t *testing.T, path string, query ...any) []string {
	t.Helper()
	keys, _ := h.ok(t, logical.ListOperation, path, pairs(query)).Data["keys"].([]string)
	return keys
}

func pairs(query []any) map[string]any {
	data := map[string]any{}
	for i := 0; i+1 < len(query); i += 2 {
		data[query[i].(string)] = query[i+1]
	}
	return data
}

// refused checks that a request fails with a status and says the texts.
func (h *harness) refused(t *testing.T, op logical.Operation, path string, data map[string]any, status int, says ...string) {
	t.Helper()
	resp, err := h.request(t, op, path, data)
	got, message := statusOf(resp, err)
	if got != status {
		t.Fatalf("%s %s %v: status %d (%s), want %d", op, path, data, got, message, status)
	}
	for _, text := range says {
		if !strings.Contains(message, text) {
			t.Fatalf("%s %s %v: %q does not say %q", op, path, data, message, text)
		}
	}
}

func (h *harness) refusedWrite(t *testing.T, path string, data map[string]any, says ...string) {
	t.Helper()
	h.refused(t, logical.UpdateOperation, path, data, http.StatusBadRequest, says...)
}

// statusOf is the HTTP status that Vault makes of a response.
func statusOf(resp *logical.Response, err error) (int, string) {
	var coded logical.HTTPCodedError
	switch {
	case errors.As(err, &coded):
		if errors.Unwrap(err) != nil {
			return 0, "a wrapped coded error loses its type on the way to Vault: " + err.Error()
		}
		return coded.Code(), err.Error()
	case errors.Is(err, logical.ErrUnsupportedOperation):
		return http.StatusMethodNotAllowed, err.Error()
	case errors.Is(err, logical.ErrUnsupportedPath):
		return http.StatusNotFound, err.Error()
	case err != nil:
		return http.StatusInternalServerError, err.Error()
	case resp.IsError():
		return http.StatusBadRequest, resp.Error().Error()
	}
	return http.StatusOK, ""
}

// connection writes a connection to an in-memory cloud, with credentials.
func (h *harness) connection(t *testing.T, name, provider string) {
	t.Helper()
	h.write(t, "config/"+name, connectionData(provider))
}

func connectionData(provider string) map[string]any {
	return map[string]any{"provider": provider, "region": "r-1", "access_key": "AK", "secret_key": "s3cr3t-key"}
}

// viaJSON is what Vault keeps of a lease: its internal data cross as JSON.
func viaJSON(t *testing.T, secret *logical.Secret) *logical.Secret {
	t.Helper()
	raw, err := json.Marshal(secret.InternalData)
	if err != nil {
		t.Fatal(err)
	}
	out := *secret
	out.InternalData = nil
	if err := json.Unmarshal(raw, &out.InternalData); err != nil {
		t.Fatal(err)
	}
	return &out
}

// stored is everything in storage under a prefix, as one text.
func (h *harness) stored(t *testing.T, prefix string) string {
	t.Helper()
	keys, err := logical.CollectKeysWithPrefix(t.Context(), h.storage, prefix)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range keys {
		entry, err := h.storage.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if entry != nil {
			all.WriteString(key + "=" + string(entry.Value) + "\n")
		}
	}
	return all.String()
}
