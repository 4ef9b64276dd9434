package backend

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestPairsKeepTruthValuesAndNumbers(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "roles/web", map[string]any{"custom_metadata": map[string]any{"off": false, "cost": json.Number("4711")}})
	h.write(t, "config/prod", map[string]any{"required_tags": map[string]any{"managed": true, "tier": float64(3), "zone": "1"}})
	if got := textOf(h.read(t, "config/prod")["required_tags"]); got != "map[managed:true tier:3 zone:1]" {
		t.Errorf("required_tags: %s", got)
	}
	if got := textOf(h.read(t, "roles/web")["custom_metadata"]); got != "map[cost:4711 off:false]" {
		t.Errorf("custom_metadata: %s", got)
	}
}

func TestValuesOfOtherFormsAreRefused(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "roles/web", map[string]any{"max_versions": 4, "custom_metadata": map[string]any{"a": "b"}})
	for field, values := range map[string][]any{
		"max_versions": {0, "0", true, "true", 1.5, "010", "0x10", []any{1}, map[string]any{"a": 1}},
		"ttl":          {true, 1.5, "1.5s", math.Inf(1), []any{"1h"}},
		"custom_metadata": {map[string]any{"a": nil}, map[string]any{"a": 1.5}, map[string]any{"a": []any{"b"}},
			map[string]any{"a": map[string]any{}}, true, 7, "a", []any{"=a"}, []any{"a=1", "a=2"}},
		"instance_tags": {[]any{map[string]any{"a": "b"}}, map[string]any{"a": map[string]any{"b": "c"}}},
		"force_stop":    {float64(1), "yes", []any{true}, map[string]any{}},
		"instance_ids":  {true, []any{true}, []any{1.5}, []any{[]any{"a"}}, map[string]any{"a": "b"}, []any{nil}},
		"username":      {true, 1.5, []any{"root"}, map[string]any{"root": "x"}},
	} {
		for _, value := range values {
			h.refusedWrite(t, "roles/web", map[string]any{field: value}, field)
		}
	}
	role := h.read(t, "roles/web")
	if role["max_versions"] != 4 || textOf(role["custom_metadata"]) != "map[a:b]" {
		t.Errorf("the role was changed: %v", role)
	}
}

func TestPatchSaysWhatToUse(t *testing.T) {
	h := leasedRole(t, nil)
	for path, c := range map[string]struct {
		data map[string]any
		want string
	}{
		"roles/web": {map[string]any{"ttl": "2h", "checkout": nil}, "use: vault write cloudpw/roles/web checkout= ttl=2h"},
		"config/prod": {map[string]any{"secret_key": "HUSH", "access_key": "AK2"},
			"use: vault write cloudpw/config/prod access_key=@access-key.txt secret_key=@secret-key.txt"},
		"keys/k":          {map[string]any{"private_key": "HUSH"}, "private_key=@private-key.txt"},
		"creds/web":       {map[string]any{"ttl": "2h"}, "it takes read: vault read cloudpw/creds/web"},
		"rotate-role/web": {nil, "use: vault write -force cloudpw/rotate-role/web"},
		"check/prod":      {map[string]any{"ttl": "2h"}, "it takes read: vault read cloudpw/check/prod"},
		"roles":           {nil, "it takes list: vault list cloudpw/roles"},
	} {
		resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.PatchOperation, Path: path, Data: c.data,
			Storage: h.storage})
		status, message := statusOf(resp, err)
		if status != http.StatusMethodNotAllowed || !strings.Contains(message, c.want) || strings.Contains(message, "HUSH") {
			t.Errorf("patch %s: %d %s", path, status, message)
		}
	}
	if got := h.read(t, "roles/web")["ttl"]; got != int64(3600) {
		t.Errorf("ttl %v", got)
	}
}
