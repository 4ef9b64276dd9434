package backend

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/metrics"
)

// metricsOf reads the mount's metrics.
func metricsOf(t testing.TB, b *backend, storage logical.Storage) string {
	t.Helper()
	resp, err := b.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "metrics", Storage: storage})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Data[logical.HTTPStatusCode] != http.StatusOK || resp.Data[logical.HTTPContentType] != metrics.ContentType {
		t.Fatalf("status %v, content type %v", resp.Data[logical.HTTPStatusCode], resp.Data[logical.HTTPContentType])
	}
	return resp.Data[logical.HTTPRawBody].(string)
}

// hasLines fails unless each of the lines is one of the text.
func hasLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	all := strings.Split(text, "\n")
	for _, line := range lines {
		if !slices.Contains(all, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestMetricsTellWhatHappened(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	h.lease(t, "creds/web")
	h.lease(t, "creds/web")
	text := metricsOf(t, h.backend, h.storage)
	hasLines(t, text,
		`cloudpw_build_info{version="`+Version+`"} 1.0`,
		`cloudpw_running 1.0`,
		`cloudpw_loading 0.0`,
		`cloudpw_rotations_total{connection="prod",reason="first",result="rotated"} 1.0`,
		`cloudpw_attempts_total{connection="prod"} 1.0`,
		`cloudpw_disclosures_total{connection="prod",mode="leased"} 2.0`,
		`cloudpw_leases{connection="prod"} 2.0`,
		`cloudpw_accounts{connection="prod",state="ready"} 1.0`,
		`cloudpw_accounts{connection="prod",state="braked"} 0.0`,
		`cloudpw_breaker_open{connection="prod"} 0.0`,
		`# TYPE cloudpw_credential_age_seconds gauge`,
		`# EOF`)
	for _, secret := range []string{"srv-1", "root", h.cloud.password("srv-1"), "s3cr3t-key"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics have %q", secret)
		}
	}
}

// TestMetricsAnswerWhileStorageHangs: they are read from memory alone.
func TestMetricsAnswerWhileStorageHangs(t *testing.T) {
	storage := &hangingStorage{Storage: new(logical.InmemStorage), reached: make(chan struct{}, 10), release: make(chan struct{})}
	h := newHarnessOn(t, storage, newFakeCloud())
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	h.lease(t, "creds/web")
	storage.hangs.Store(true)
	storage.hangsReading.Store(true)
	read := make(chan error, 1)
	go func() {
		_, err := h.readAs(context.WithoutCancel(t.Context()), "creds/web", logical.Request{})
		read <- err
	}()
	<-storage.reached // the account is held while its record is written
	hasLines(t, metricsOf(t, h.backend, storage), `cloudpw_leases{connection="prod"} 1.0`)
	storage.hangs.Store(false)
	storage.hangsReading.Store(false)
	close(storage.release)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// TestMonitoringPageHasEveryMetric compares docs/monitoring.md with the code: each metric has a line, and no other has.
func TestMonitoringPageHasEveryMetric(t *testing.T) {
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `cloudpw_") {
			documented = append(documented, strings.TrimSuffix(line, "\n"))
		}
	}
	var want []string
	for _, d := range newHarness(t).metrics.Definitions() {
		labels := "none"
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", d.Name, d.Type, labels, d.Help))
	}
	slices.Sort(documented)
	slices.Sort(want)
	if !slices.Equal(documented, want) {
		t.Errorf("docs/monitoring.md has\n%s\nthe code\n%s", strings.Join(documented, "\n"), strings.Join(want, "\n"))
	}
}
