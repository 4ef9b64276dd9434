//go:build e2e

package e2e

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestPasswordOfEveryCloudLogsIn(t *testing.T) {
	e := start(t)
	for _, cloud := range clouds {
		t.Run(string(cloud), func(t *testing.T) {
			e.connect(t, cloud)
			id := e.role(t, string(cloud), cloud, "windows-1", nil)

			secret := e.Read(t, "cloudpw/creds/"+string(cloud), "wait", "45s")
			if got := secret.Data["instance_id"]; got != id {
				t.Errorf("instance_id is %v, want %s", got, id)
			}
			if leased := cloud == model.TencentCloud; (secret.LeaseID != "") != leased {
				t.Errorf("lease %q, want one: %v", secret.LeaseID, leased)
			}
			e.sim.Accepts(t, id, secret.Data["username"].(string), secret.Data["password"].(string))
			e.sim.Refuses(t, id, secret.Data["username"].(string), secret.Data["password"].(string)+"x")
		})
	}
}
