//go:build e2e

package e2e

import (
	"maps"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// clouds are those whose passwords cloudpw hands out, by the names of their connections.
var clouds = []model.Cloud{model.AWS, model.HuaweiCloud, model.OpenTelekomCloud, model.TencentCloud, model.OpenStack}

// env is a Vault with the engine at cloudpw/, and simulated clouds.
type env struct {
	*harness.Vault
	sim *harness.Simulator
}

// start runs both in dev mode.
func start(t *testing.T, simulatorFlags ...string) *env {
	t.Helper()
	bin := harness.FindBinaries(t)
	e := &env{sim: harness.StartSimulator(t, bin, simulatorFlags...), Vault: harness.StartVault(t, bin)}
	e.RegisterAndMount(t)
	return e
}

// startRaft is start with a Vault that keeps what it stores when it is sealed, steps down or ends.
func startRaft(t *testing.T) *env {
	t.Helper()
	bin := harness.FindBinaries(t)
	e := &env{sim: harness.StartSimulator(t, bin), Vault: harness.StartRaftVault(t, bin)}
	e.RegisterAndMount(t)
	return e
}

// connection is what an operator writes to config/ for a simulated cloud.
func (e *env) connection(cloud model.Cloud) map[string]any {
	if cloud == "ssh" { // no cloud: any key is good
		return map[string]any{"provider": "ssh", "login_user": "cloudpw", "private_key": e.sim.Info.Seeded[model.AWS].PrivateKey}
	}
	return e.sim.Info.Connection(cloud)
}

// endpoints are those of a simulated cloud, for a connection of one's own making.
func (e *env) endpoints(cloud model.Cloud) map[string]string {
	return maps.Clone(e.sim.Info.Endpoints[cloud])
}

// connect writes the cloud's connection under the cloud's own name and, where it has initial passwords, the key
// <cloud>-key that decrypts them.
func (e *env) connect(t *testing.T, cloud model.Cloud) {
	t.Helper()
	e.Write(t, "cloudpw/config/"+string(cloud), e.connection(cloud))
	if cloud != model.TencentCloud && cloud != model.Azure {
		e.Write(t, "cloudpw/keys/"+keyOf(cloud), map[string]any{"private_key": e.sim.Info.Seeded[cloud].PrivateKey})
	}
}

func keyOf(cloud model.Cloud) string { return string(cloud) + "-key" }

// role writes a role for one seeded server and returns the server's id. more adds to the fields or replaces them; what
// it leaves out is chosen so that no test waits for an interval between resets.
func (e *env) role(t *testing.T, name string, cloud model.Cloud, server string, more map[string]any) string {
	t.Helper()
	id := e.sim.ServerID(t, cloud, server)
	fields := map[string]any{"connection": string(cloud), "instance_ids": id}
	switch cloud {
	case model.TencentCloud:
		fields["force_stop"], fields["min_reset_interval"] = true, 0
	case model.Azure:
	default:
		fields["key"] = keyOf(cloud)
	}
	maps.Copy(fields, more)
	e.Write(t, "cloudpw/roles/"+name, fields)
	return id
}
