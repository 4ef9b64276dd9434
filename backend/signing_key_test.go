package backend

import (
	"crypto/fips140"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestShortKeysUnderStrictFIPS runs itself again in a process with GODEBUG=fips140=only, since that setting is
// read once when a process starts.
func TestShortKeysUnderStrictFIPS(t *testing.T) {
	if fips140.Enforced() {
		t.Run("short", shortKeysAreRefused)
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "CLOUDPW_ALLOW_LOOPBACK_HTTP=true")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+"/short") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func shortKeysAreRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	h := newHarnessWith(t, new(logical.InmemStorage), newFakeCloud(), providers())
	for name, fields := range map[string]map[string]any{
		"aws": {"provider": "aws", "region": "eu-central-1", "access_key": "AKIAIOSFODNN7EXAMPLE",
			"endpoints": map[string]any{"ec2": server.URL, "sts": server.URL}},
		"tencentcloud": {"provider": "tencentcloud", "region": "ap-guangzhou", "access_key": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
			"endpoints": map[string]any{"cvm": server.URL}},
		"alibabacloud": {"provider": "alibabacloud", "region": "cn-hangzhou", "access_key": "LTAI5tExample",
			"endpoints": map[string]any{"ecs": server.URL}},
		"huaweicloud": {"provider": "huaweicloud", "region": "cn-north-4", "project_id": strings.Repeat("0a", 16),
			"access_key": "HUAWEIACCESSKEY00000", "endpoints": map[string]any{"ecs": server.URL}},
	} {
		for _, verify := range []bool{true, false} {
			short := merged(fields, map[string]any{"secret_key": "abcde", "verify_connection": verify})
			h.refused(t, logical.UpdateOperation, "config/"+name, short, http.StatusBadRequest, "secret_key")
		}
		// One that was stored by a process without the mode, and one that is long enough, are no panic, either.
		long := merged(fields, map[string]any{"secret_key": strings.Repeat("abcd", 10), "verify_connection": false})
		h.write(t, "config/"+name, long)
		resp, err := h.request(t, logical.ListOperation, "discover/"+name, nil)
		if status, message := statusOf(resp, err); status < 400 || strings.Contains(message, "panic") {
			t.Errorf("%s with a long key: %d %q", name, status, message)
		}
		stored, err := h.connections.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		short := stored.Clone()
		short.Own = short.Own.With(cloud.Values{"secret_key": "abcde"})
		if err := h.connections.Put(t.Context(), name, short); err != nil {
			t.Fatal(err)
		}
		h.core.ForgetConnection(name)
		h.refused(t, logical.ListOperation, "discover/"+name, nil, http.StatusBadRequest, "secret_key: has 5 bytes")
	}
}
