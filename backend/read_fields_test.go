package backend

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// Clients add fields to every read: Terraform's vault_generic_secret a version, others a ttl.
func TestReadsWarnOfUnknownFields(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "keys/k", map[string]any{"generate": true})
	h.write(t, "hosts/srv-1", map[string]any{"connection": "prod"})
	h.lease(t, "creds/web")
	id, _ := h.write(t, "rotate-role/web", map[string]any{"wait": "20s"}).Data["campaign"].(string)
	samples, reads := samplePaths(), 0
	for _, path := range h.Paths {
		if path.Operations[logical.ReadOperation] == nil || strings.HasPrefix(samples[path.Pattern], versionsPrefix) ||
			samples[path.Pattern] == "check/prod" {
			continue // the sample of versions/ is current and not shown there, and this cloud cannot be checked
		}
		reads++
		sample := strings.NewReplacer(sampleCampaign, id, "web-1", "srv-1").Replace(samples[path.Pattern])
		resp := h.ok(t, logical.ReadOperation, sample, map[string]any{"version": "-1", "surprise": []any{"x"}})
		for _, name := range []string{"version", "surprise"} {
			if !slices.ContainsFunc(resp.Warnings, func(w string) bool { return strings.Contains(w, `"`+name+`": unknown field`) }) {
				t.Errorf("%s: no warning of %s: %q", path.Pattern, name, resp.Warnings)
			}
		}
	}
	if reads < 7 {
		t.Errorf("%d paths were read", reads)
	}
	resp := h.ok(t, logical.ReadOperation, "roles/web", map[string]any{"ttl": "3h"}) // a field of writes
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "takes no fields") {
		t.Errorf("roles/: %q", resp.Warnings)
	}
	resp = h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wat": "1s"})
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "did you mean wait?") || resp.Data["password"] == "" {
		t.Errorf("creds/: %q", resp.Warnings)
	}
	h.refused(t, logical.ReadOperation, "creds/nosuch", map[string]any{"version": "-1"}, http.StatusBadRequest, "unknown role")
	if resp := h.ok(t, logical.ReadOperation, "roles/nosuch", map[string]any{"version": "-1"}); resp != nil {
		t.Errorf("what does not exist: %v", resp)
	}
}

func TestManyUnknownFieldsOfAReadMakeFewWarnings(t *testing.T) {
	h := leasedRole(t, nil)
	fields := map[string]any{}
	for i := range 500 {
		fields[strings.Repeat("x", 1+i)] = "y"
	}
	resp := h.ok(t, logical.ReadOperation, "roles/web", fields)
	if len(resp.Warnings) != 10 || len(strings.Join(resp.Warnings, "")) > 4000 {
		t.Errorf("%d warnings", len(resp.Warnings))
	}
}

func TestReadOfLeasedRoleWithTTL(t *testing.T) {
	for name, c := range map[string]struct {
		asked any
		want  time.Duration
		warns string
	}{
		"shorter":            {"900s", 15 * time.Minute, ""},
		"shorter, a number":  {float64(900), 15 * time.Minute, ""},
		"the shortest":       {"1m", time.Minute, ""},
		"the role's":         {"1h", time.Hour, ""},
		"longer":             {"24h", time.Hour, "above the role's ttl"},
		"longer than max":    {"9000h", time.Hour, "above the role's ttl"},
		"the default":        {"0", time.Hour, ""},
		"empty":              {"", time.Hour, ""},
		"beside unknown one": {"15m", 15 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := leasedRole(t, nil)
			resp := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s", "ttl": c.asked})
			if resp.Secret == nil || resp.Secret.TTL != c.want {
				t.Fatalf("lease %+v, want %s", resp.Secret, c.want)
			}
			if warned := strings.Join(resp.Warnings, "\n"); (c.warns == "") != (warned == "") || !strings.Contains(warned, c.warns) {
				t.Errorf("warnings %q, want %q", warned, c.warns)
			}
			// A renewal without an increment keeps what was asked for.
			resp.Secret = viaJSON(t, resp.Secret)
			resp.Secret.IssueTime = time.Now()
			renewed, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.RenewOperation, Secret: resp.Secret,
				Storage: h.storage})
			if err != nil || renewed.IsError() || renewed.Secret.TTL != c.want {
				t.Errorf("renewed: %+v, %v", renewed, err)
			}
		})
	}
}

func TestReadOfLeasedRoleRefusesTTLs(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	for _, asked := range []any{"1s", "59s", "-1h", "soon", "1.5s", true, float64(900.5), []any{"900s"}, map[string]any{"a": "b"}} {
		h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"ttl": asked}, http.StatusBadRequest, "ttl")
	}
}

func TestShortLeasesMayBeShorterStill(t *testing.T) {
	h := leasedRole(t, map[string]any{"ttl": "20s", "max_ttl": "1m"})
	h.refused(t, logical.ReadOperation, "creds/web", map[string]any{"ttl": "5s"}, http.StatusBadRequest, "at least 20s")
	resp := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s", "ttl": "20s"})
	if resp.Secret == nil || resp.Secret.TTL != 20*time.Second {
		t.Errorf("lease %+v", resp.Secret)
	}
}

func TestReadOfStaticRoleWarnsOfTTL(t *testing.T) {
	h := leasedRole(t, map[string]any{"mode": "static", "skip_import_rotation": false})
	h.waitFor(t, "accounts/prod/srv-1/root", func(account map[string]any) bool { return account["state"] == "ready" })
	resp := h.ok(t, logical.ReadOperation, "creds/web", map[string]any{"ttl": "900s", "version": "-1"})
	if resp.Secret != nil || resp.Data["password"] != h.cloud.password("srv-1") || len(resp.Warnings) != 2 ||
		!strings.Contains(strings.Join(resp.Warnings, ""), "this role is static") {
		t.Errorf("%v, %q", resp.Data, resp.Warnings)
	}
}

func TestReadOfSharedPasswordWithTTL(t *testing.T) {
	h := leasedRole(t, map[string]any{"shared_password": true})
	for _, path := range []string{"creds/web", "creds/web/srv-1"} {
		resp := h.ok(t, logical.ReadOperation, path, map[string]any{"wait": "45s", "ttl": "15m"})
		if resp.Secret == nil || resp.Secret.TTL != 15*time.Minute {
			t.Errorf("%s: lease %+v", path, resp.Secret)
		}
	}
}
