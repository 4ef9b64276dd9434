//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// campaignServers is how many servers the campaigns of the test are about.
const campaignServers = 30

// awaitCampaign waits for a campaign's end as people do, and returns it.
func (e *env) awaitCampaign(t *testing.T, id string) map[string]any {
	t.Helper()
	var data map[string]any
	harness.Eventually(t, 3*time.Minute, "the end of campaign "+id, func() error {
		secret, err := e.TryRead(t.Context(), "cloudpw/campaigns/"+id, "wait", "20s")
		if err != nil || secret == nil {
			return fmt.Errorf("%v, %w", secret, err)
		}
		if data = secret.Data; data["ended_time"] == nil {
			return fmt.Errorf("%v", data)
		}
		return nil
	})
	return data
}

// versionsOf are the current versions of the accounts of a role.
func (e *env) versionsOf(t *testing.T, role string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	rows, _ := e.Read(t, "cloudpw/report", "role", role).Data["accounts"].([]any)
	for _, row := range rows {
		of, _ := row.(map[string]any)
		versions[fmt.Sprint(of["instance_id"])] = fmt.Sprint(of["version"])
	}
	return versions
}

// TestCampaignSurvivesThePlugin rotates a whole connection; the plugin is killed in the middle, and every account is rotated once.
func TestCampaignSurvivesThePlugin(t *testing.T) {
	t.Parallel()
	e := start(t)
	connection := e.connection(model.TencentCloud)
	connection["max_requests_per_second"] = 20
	e.Write(t, "cloudpw/config/prod", connection)
	seeded := e.sim.Info.Seeded[model.TencentCloud]
	var ids []string
	for range campaignServers {
		server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: seeded.AccountID, Region: seeded.Region,
			Platform: model.Linux})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	e.Write(t, "cloudpw/roles/web", map[string]any{"connection": "prod", "instance_ids": ids, "mode": "static", "force_stop": true,
		"min_reset_interval": 0})

	first := fmt.Sprint(e.Write(t, "cloudpw/rotate-role/web", nil).Data["campaign"])
	if got := e.awaitCampaign(t, first); fmt.Sprintf("%v of %v, %v", got["done"], got["total"], got["end_reason"]) != "30 of 30, completed" {
		t.Fatalf("the first passwords: %v", got)
	}
	before := e.versionsOf(t, "web")

	answer := e.Write(t, "cloudpw/rotate-connection/prod", nil).Data
	id := fmt.Sprint(answer["campaign"])
	if fmt.Sprint(answer["accounts_due"]) != "30" {
		t.Errorf("the order is answered with %v", answer)
	}
	e.KillPlugin(t)
	got := e.awaitCampaign(t, id)
	numbers := fmt.Sprintf("%v %v %v %v %v", got["done"], got["failed"], got["waiting"], got["skipped"], got["not_yet_ordered"])
	if numbers != "30 0 0 0 0" || got["kind"] != "rotate-connection" || got["end_reason"] != "completed" {
		t.Errorf("%v", got)
	}
	after := e.versionsOf(t, "web")
	if len(before) != campaignServers || len(after) != campaignServers {
		t.Fatalf("%d accounts before, %d after", len(before), len(after))
	}
	for server, version := range after {
		if before[server] != "1" || version != "2" {
			t.Errorf("%s had version %s and has %s", server, before[server], version)
		}
	}
	if keys := e.List(t, "cloudpw/campaigns"); !slices.Equal(keys, []string{id, first}) {
		t.Errorf("listed: %v", keys)
	}
	e.Delete(t, "cloudpw/campaigns/"+id)
	if secret, err := e.TryRead(t.Context(), "cloudpw/campaigns/"+id); secret != nil || err != nil {
		t.Errorf("a deleted campaign: %v, %v", secret, err)
	}
}
