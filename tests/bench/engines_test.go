//go:build bench

package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// Names of the plugins beside cloudpw, which are those of their binaries.
const (
	floorPlugin = "cloudpw-bench-floor"
	ldapPlugin  = "vault-plugin-secrets-openldap"
)

// pluginBeside is the path of a plugin's binary in the folder of cloudpw's, which is Vault's plugin_directory.
func pluginBeside(bin harness.Binaries, name string) string {
	return filepath.Join(filepath.Dir(bin.Plugin), name)
}

// enable registers a plugin and mounts it at a path.
func enable(t *testing.T, v *harness.Vault, bin harness.Binaries, name, at string) {
	t.Helper()
	content, err := os.ReadFile(pluginBeside(bin, name))
	if err != nil {
		t.Fatalf("plugin %s: %v; `make bench` builds it", name, err)
	}
	sum := sha256.Sum256(content)
	err = v.Client.Sys().RegisterPlugin(&api.RegisterPluginInput{
		Name: name, Type: api.PluginTypeSecrets, Command: name, SHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		t.Fatalf("register %s: %v", name, err)
	}
	if err := v.Client.Sys().Mount(at, &api.MountInput{Type: name}); err != nil {
		t.Fatalf("enable %s: %v", name, err)
	}
}

// Names of the targets.
const (
	health      = "sys/health"
	kv          = "KV v1"
	floorRead   = "floor: nothing"
	floorStored = "floor: one storage get"
	floorLeased = "floor: leased"
	ownRead     = "cloudpw: scheduled static role"
	ownLeased   = "cloudpw: leased role"
	ldapRead    = "OpenLDAP: static-cred"
	ldapLeased  = "OpenLDAP: creds"
)

// leasePrefix is where the leases of cloudpw's leased target are.
const leasePrefix = harness.Mount + "/creds/leased"

// around are the targets that are neither cloudpw's nor OpenLDAP's.
func around(t *testing.T, v *harness.Vault, bin harness.Binaries) []Target {
	t.Helper()
	enable(t, v, bin, floorPlugin, "floor")
	if err := v.Client.Sys().Mount("plain", &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}); err != nil {
		t.Fatalf("enable KV: %v", err)
	}
	v.Write(t, "plain/entry", map[string]any{"password": "nothing"})
	return []Target{
		{Name: health, Paths: []string{"sys/health"}, Wants: []string{`"sealed":false`}},
		{Name: kv, Paths: []string{"plain/entry"}, Wants: []string{`"password":"nothing"`}},
		{Name: floorRead, Paths: []string{"floor/nothing"}, Wants: []string{`"lease_id":""`, `"password":"nothing"`}},
		{Name: floorStored, Paths: []string{"floor/stored"}, Wants: []string{`"lease_id":""`, `"password":"nothing"`}},
		{Name: floorLeased, Paths: []string{"floor/leased"}, Wants: []string{`"lease_id":"floor/leased/`, `"password":"nothing"`}},
	}
}

// simulate runs clouds in this process whose limits are off, so that the preparations do not take minutes.
func simulate(t *testing.T) *cloudsim.Sim {
	t.Helper()
	sim, err := cloudsim.New(cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	if err != nil {
		t.Fatalf("start the cloud simulator: %v", err)
	}
	t.Cleanup(sim.Close)
	if _, err := sim.Seed(cloudsim.SeedOptions{}); err != nil {
		t.Fatalf("seed the cloud simulator: %v", err)
	}
	return sim
}

// own mounts cloudpw over Tencent Cloud, with one scheduled static role and one leased role of many accounts, all of
// which have been rotated once.
func own(t *testing.T, v *harness.Vault, sim *cloudsim.Sim, accounts int) []Target {
	t.Helper()
	v.RegisterAndMount(t)
	seeded := sim.Info().Seeded[model.TencentCloud]
	connection := map[string]any{
		"provider": string(model.TencentCloud), "region": seeded.Region,
		"access_key": seeded.AccessKey, "secret_key": seeded.SecretKey,
		"endpoints": maps.Clone(sim.Info().Endpoints[model.TencentCloud]), "max_requests_per_second": 500,
	}
	v.Write(t, "cloudpw/config/tc", connection)
	var ids, paths []string
	for i := range accounts {
		server, err := sim.World().AddServer(model.Server{
			Cloud: model.TencentCloud, AccountID: seeded.AccountID, Region: seeded.Region, Name: fmt.Sprintf("bench-%d", i), Platform: model.Linux,
		})
		if err != nil {
			t.Fatalf("add a server: %v", err)
		}
		ids = append(ids, server.ID)
		paths = append(paths, leasePrefix+"/"+server.ID)
	}
	slices.Sort(paths)
	common := map[string]any{"connection": "tc", "force_stop": true, "min_reset_interval": 0}
	leased, static := maps.Clone(common), maps.Clone(common)
	leased["instance_ids"] = ids
	static["instance_ids"], static["mode"], static["rotation_period"] = seeded.Servers["ubuntu-1"], "static", "24h"
	v.Write(t, "cloudpw/roles/leased", leased)
	v.Write(t, "cloudpw/roles/static", static)
	v.Write(t, "cloudpw/rotate-role/static", map[string]any{"wait": "45s"})
	v.Write(t, "cloudpw/rotate-role/leased", nil)
	harness.Eventually(t, 2*time.Minute, "the first passwords", func() error {
		status := v.Read(t, "cloudpw/status")
		if ready := count(status.Data, "ready"); ready < accounts+1 {
			return fmt.Errorf("%d of %d accounts are ready: %v", ready, accounts+1, status.Data)
		}
		return nil
	})
	connection["max_requests_per_second"] = 10 // Tencent Cloud's limit, for what the revocations start
	v.Write(t, "cloudpw/config/tc", connection)
	return []Target{
		{Name: ownRead, Floor: floorRead, Paths: []string{"cloudpw/creds/static"}, Wants: []string{`"lease_id":""`, `"next_vault_rotation":`, `"ttl":`}},
		{Name: ownLeased, Floor: floorLeased, Paths: paths, Wants: []string{`"lease_id":"` + leasePrefix + `/`, `"password":"`}},
	}
}

// count is how many accounts are in a state, according to the status.
func count(status map[string]any, state string) int {
	states, _ := status["accounts"].(map[string]any)
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(states[state]), &n); err != nil {
		return 0
	}
	return n
}
