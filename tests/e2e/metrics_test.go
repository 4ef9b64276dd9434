//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// metricsPolicy finds the policy in the page about monitoring.
var metricsPolicy = regexp.MustCompile("(?s)```hcl\n(path \"cloudpw/metrics\".*?)```")

// TestVaultGivesMetricsAsText: a token with the documented policy reads OpenMetrics text, as Prometheus does, and nothing else.
func TestVaultGivesMetricsAsText(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"mode": "static"})
	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	page, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	policy := metricsPolicy.FindStringSubmatch(string(page))
	if policy == nil {
		t.Fatal("the page has no policy")
	}
	scraper := e.as(t, "metrics", policy[1])
	get := func(path string) (status int, contentType, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Address+"/v1/"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+scraper.Client.Token()) // as Prometheus sends it
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
	}
	status, kind, body := get("cloudpw/metrics")
	if status != http.StatusOK || !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Fatalf("status %d, content type %q:\n%s", status, kind, body)
	}
	for _, line := range []string{
		`cloudpw_rotations_total{connection="` + string(model.TencentCloud) + `",reason="`,
		`cloudpw_cloud_request_duration_seconds_count{action="ResetInstancesPassword",connection="` + string(model.TencentCloud) +
			`",result="ok"} `,
		"# EOF\n",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no %q in\n%s", line, body)
		}
	}
	if status, _, body := get("cloudpw/status"); status != http.StatusForbidden {
		t.Errorf("the token for metrics reads status: %d %s", status, body)
	}
	if out := e.CLI(t, "read", "-format=raw", "cloudpw/metrics"); !strings.Contains(out, "# EOF") {
		t.Errorf("vault read -format=raw prints %q", out)
	}
}
