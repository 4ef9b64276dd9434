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

// parts is into how many roles the leased targets are divided, each of which is revoked by itself, so that the engines
// can take turns at that, too.
const parts = 5

// part is the name of one of those roles, counted from 1.
func part(of string, i int) string { return fmt.Sprintf("%s-%d", of, i) }

// inParts are the paths of all parts.
func inParts(of string) []string {
	var paths []string
	for i := range parts {
		paths = append(paths, part(of, i+1))
	}
	return paths
}

// Where the leases are: of the targets in parts without the part.
const (
	floorLeases = "floor/leased"
	ownLeases   = harness.Mount + "/creds/leased"
	ldapLeases  = "ldap/creds/dynamic"
	crowdLeases = harness.Mount + "/creds/crowd"
)

// crowdShare is how many times fewer accounts the role has that all clients read at once, and crowdReads how many reads in
// a row they make of one account: enough to meet, and so few that an account's live leases stay far below their limit.
const (
	crowdShare = 10
	crowdReads = 8 * many
)

// around are the targets that are neither cloudpw's nor OpenLDAP's.
func around(t *testing.T, v *harness.Vault, bin harness.Binaries) []Target {
	t.Helper()
	enable(t, v, bin, floorPlugin, "floor")
	if err := v.Client.Sys().Mount("plain", &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}); err != nil {
		t.Fatalf("enable KV: %v", err)
	}
	v.Write(t, "plain/entry", map[string]any{"password": "nothing"})
	program := pluginBeside(bin, floorPlugin)
	return []Target{
		{Name: health, Paths: []string{"sys/health"}, Wants: []string{`"sealed":false`}},
		{Name: kv, Paths: []string{"plain/entry"}, Wants: []string{`"password":"nothing"`}},
		{Name: floorRead, Paths: []string{"floor/nothing"}, Wants: []string{`"lease_id":""`, `"password":"nothing"`}, Plugin: program},
		{Name: floorStored, Paths: []string{"floor/stored"}, Wants: []string{`"lease_id":""`, `"password":"nothing"`}, Plugin: program},
		{Name: floorLeased, Paths: inParts(floorLeases), Wants: []string{`"lease_id":"` + floorLeases, `"password":"nothing"`}, Plugin: program},
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

// own mounts cloudpw over Tencent Cloud, with one scheduled static role and leased roles of many accounts, all of which
// have been rotated once.
func own(t *testing.T, v *harness.Vault, bin harness.Binaries, sim *cloudsim.Sim, accounts int) []Target {
	t.Helper()
	v.RegisterAndMount(t)
	seeded := sim.Info().Seeded[model.TencentCloud]
	connection := map[string]any{
		"provider": string(model.TencentCloud), "region": seeded.Region,
		"access_key": seeded.AccessKey, "secret_key": seeded.SecretKey,
		"endpoints": maps.Clone(sim.Info().Endpoints[model.TencentCloud]), "max_requests_per_second": 500,
	}
	v.Write(t, "cloudpw/config/tc", connection)
	common := map[string]any{"connection": "tc", "force_stop": true, "min_reset_interval": 0}
	role := func(name string, ids any, more map[string]any) {
		fields := maps.Clone(common)
		fields["instance_ids"] = ids
		maps.Copy(fields, more)
		v.Write(t, "cloudpw/roles/"+name, fields)
	}
	role("static", seeded.Servers["ubuntu-1"], map[string]any{"mode": "static", "rotation_period": "24h"})
	var paths, crowded []string
	each := max(accounts/parts, 1)
	for i := range parts {
		name := part("leased", i+1)
		ids := servers(t, sim, seeded, name, each)
		role(name, ids, nil)
		for _, id := range ids {
			paths = append(paths, "cloudpw/creds/"+name+"/"+id)
		}
	}
	paths = inTurn(paths, each)
	crowd := servers(t, sim, seeded, "crowd", max(accounts/crowdShare, 1))
	role("crowd", crowd, nil)
	for _, id := range crowd {
		crowded = append(crowded, slices.Repeat([]string{crowdLeases + "/" + id}, crowdReads)...)
	}
	v.Write(t, "cloudpw/rotate-role/static", map[string]any{"wait": "45s"})
	for i := range parts {
		v.Write(t, "cloudpw/rotate-role/"+part("leased", i+1), nil)
	}
	v.Write(t, "cloudpw/rotate-role/crowd", nil)
	all := len(paths) + len(crowd) + 1
	harness.Eventually(t, 4*time.Minute, "the first passwords", func() error {
		status := v.Read(t, "cloudpw/status")
		if ready := count(status.Data, "ready"); ready < all {
			return fmt.Errorf("%d of %d accounts are ready: %v", ready, all, status.Data)
		}
		return nil
	})
	connection["max_requests_per_second"] = 10 // Tencent Cloud's limit, for what the revocations start
	v.Write(t, "cloudpw/config/tc", connection)
	return []Target{
		{Name: ownRead, Floor: floorRead, Paths: []string{"cloudpw/creds/static"}, Wants: []string{`"lease_id":""`, `"next_vault_rotation":`,
			`"ttl":`}, Plugin: bin.Plugin},
		{Name: ownLeased, Floor: floorLeased, Paths: paths, Wants: []string{`"lease_id":"` + ownLeases, `"password":"`}, Plugin: bin.Plugin},
		{Name: ownCrowd, Floor: floorLeased, Paths: crowded, Wants: []string{`"lease_id":"` + crowdLeases, `"password":"`}, Plugin: bin.Plugin,
			Clients: many},
	}
}

// servers adds servers to the simulated cloud and returns their ids.
func servers(t *testing.T, sim *cloudsim.Sim, seeded cloudsim.Credentials, name string, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		server, err := sim.World().AddServer(model.Server{
			Cloud: model.TencentCloud, AccountID: seeded.AccountID, Region: seeded.Region, Name: fmt.Sprintf("%s-%d", name, i),
			Platform: model.Linux,
		})
		if err != nil {
			t.Fatalf("add a server: %v", err)
		}
		ids = append(ids, server.ID)
	}
	return ids
}

// inTurn takes one of each part after the other, where parts of that many follow each other.
func inTurn(paths []string, each int) []string {
	var mixed []string
	for i := range each {
		for j := i; j < len(paths); j += each {
			mixed = append(mixed, paths[j])
		}
	}
	return mixed
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
