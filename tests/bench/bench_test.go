//go:build bench

package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestBench measures everything and writes table.md and result.json. It fails where an answer is wrong or a read called
// the cloud; how fast a machine is, is for the reader of the table to judge.
func TestBench(t *testing.T) {
	s := settingsOf(t)
	bin := harness.FindBinaries(t)
	report := &Report{Machine: machine()}
	if missing := ldapMissing(bin); missing != "" {
		report.Notices = append(report.Notices, missing)
		t.Log(missing)
	}
	for _, storage := range s.storages {
		if !t.Run(storage, func(t *testing.T) { measure(t, s, bin, storage, report) }) {
			return
		}
		write(t, filepath.Join(s.out, "table.md"), report.Table)
		write(t, filepath.Join(s.out, "result.json"), report.JSON)
	}
}

// measure runs one Vault.
func measure(t *testing.T, s settings, bin harness.Binaries, storage string, report *Report) {
	start := map[string]func(testing.TB, harness.Binaries, ...harness.Option) *harness.Vault{
		"inmem": harness.StartVault, "raft": harness.StartRaftVault,
	}[storage]
	if start == nil {
		t.Fatalf("BENCH_STORAGE: %q is neither inmem nor raft", storage)
	}
	v := start(t, bin, harness.Quiet)
	version, err := v.Client.Sys().Health()
	if err != nil {
		t.Fatalf("Vault's version: %v", err)
	}
	report.Machine.Vault = "Vault " + version.Version
	sim := simulate(t)
	targets := append(around(t, v, bin), own(t, v, bin, sim, s.accounts)...)
	if ldapMissing(bin) == "" {
		targets = append(targets, openLDAP(t, v, bin)...)
	}

	calls := len(sim.World().Log(0))
	if storage == "raft" {
		s.reads = max(s.reads/raftShare, 1)
	}
	all := rounds(t, s, v, targets)
	for _, clients := range []int{1, many} {
		series := map[string]Series{}
		for _, target := range targets {
			if one, ok := all[seriesKey{target.Name, clients}]; ok {
				series[target.Name] = one
			}
		}
		for _, target := range targets {
			if _, asked := series[target.Name]; !asked {
				continue
			}
			report.Reads = append(report.Reads, series[target.Name].Row(storage, rivals(target, series)...))
		}
	}
	report.add(t, sim.World().Log(0)[calls:], passwordsRead(all))
	if storage == "inmem" {
		report.Plugins = append(report.Plugins,
			program(t, v, floorPlugin, pluginBeside(bin, floorPlugin), "floor/nothing"),
			program(t, v, harness.PluginName, bin.Plugin, "cloudpw/creds/static"))
		report.byHand(t, v, bin, sim)
	}
	report.Revoked = append(report.Revoked, revokeAll(t, v, storage, targets, all)...)
}

// revokeAll revokes the leases of all leased targets, part by part in turn, so that what disturbs the machine disturbs all
// of them.
func revokeAll(t *testing.T, v *harness.Vault, storage string, targets []Target, all map[seriesKey]Series) []Revoked {
	t.Helper()
	prefixes := map[string]string{floorLeased: floorLeases, ownLeased: ownLeases, ldapLeased: ldapLeases}
	var names []string
	for _, target := range targets {
		if prefixes[target.Name] != "" {
			names = append(names, target.Name)
		}
	}
	revoked := map[string]*Revoked{}
	for _, name := range names {
		revoked[name] = &Revoked{Storage: storage, Name: name}
	}
	for i := range parts {
		for j := range names {
			name := names[(i+j)%len(names)]
			leases := (leasesOf(all, name) + parts - 1 - i) / parts // they were read in turn
			revoked[name].add(leases, revoke(t, v, name, part(prefixes[name], i+1), leases))
		}
	}
	var rows []Revoked
	for _, name := range names {
		row := revoked[name]
		for _, other := range names {
			if other != name && (name == ownLeased || other == ldapLeased) {
				row.compare(*revoked[other])
			}
		}
		rows = append(rows, *row)
	}
	crowd := Revoked{Storage: storage, Name: ownCrowd}
	leases := leasesOf(all, ownCrowd)
	crowd.add(leases, revoke(t, v, ownCrowd, crowdLeases, leases))
	return append(rows, crowd)
}

// passwordsRead is how many passwords the rounds have read from cloudpw.
func passwordsRead(all map[seriesKey]Series) int {
	return leasesOf(all, ownRead) + leasesOf(all, ownLeased) + leasesOf(all, ownCrowd)
}

// readsPerCall is how many reads there must be for each request to a cloud that the background makes meanwhile, which
// looks at the roles' instances from time to time. A read that calls the cloud makes one for each.
const readsPerCall = 100

// add counts the requests to clouds that were made while so many passwords were read. They may only be looks at
// instances, and few.
func (r *Report) add(t *testing.T, entries []model.Entry, reads int) {
	t.Helper()
	r.PasswordsRead += reads
	r.CloudCalls += len(entries)
	if len(entries)*readsPerCall > reads {
		t.Errorf("%d requests reached the cloud while %d passwords were read: more than the background makes", len(entries), reads)
	}
	for _, entry := range entries {
		if entry.Action != "DescribeInstances" {
			t.Errorf("%s reached the cloud while passwords were only read", entry.Action)
		}
	}
}

type seriesKey struct {
	target  string
	clients int
}

// raftShare divides the number of requests where every write waits for a disk.
const raftShare = 2

// warmUp is how many requests of each target go before the first round: connections are opened and caches filled.
const warmUp = 50

// readerTokens is how many tokens the clients use in turn: so many that none comes to hold as many leases of an account as one
// reader may (50), although an account of the crowd is read several hundred times.
const readerTokens = 32

// readers makes the tokens of the clients.
func readers(t *testing.T, v *harness.Vault) []string {
	t.Helper()
	tokens := make([]string, readerTokens)
	for i := range tokens {
		created, err := v.Client.Auth().Token().CreateOrphan(&api.TokenCreateRequest{Policies: []string{"root"}, TTL: "2h"})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = created.Auth.ClientToken
	}
	return tokens
}

// rounds asks all targets in turn, s.rounds times, each round beginning with another one.
func rounds(t *testing.T, s settings, v *harness.Vault, targets []Target) map[seriesKey]Series {
	t.Helper()
	load := NewLoad(v.Address, readers(t, v), many)
	defer load.Close()
	for _, target := range targets {
		if _, err := load.Run(t.Context(), target, many, warmUp); err != nil {
			t.Fatal(err)
		}
	}
	plugins := map[string]int{}
	for _, target := range targets {
		if target.Plugin != "" {
			plugins[target.Name] = childOf(v.PID(), target.Plugin)
		}
	}
	all := map[seriesKey]Series{}
	for round := range s.rounds {
		began := time.Now()
		for _, clients := range []int{1, many} {
			n := s.reads
			if clients > 1 {
				n *= manyFactor
			}
			for i := range targets {
				target := targets[(i+round)%len(targets)]
				if target.Clients != 0 && target.Clients != clients {
					continue
				}
				vault, plugin := processorTime(v.PID()), processorTime(plugins[target.Name])
				sample, err := load.Run(t.Context(), target, clients, n)
				if err != nil {
					t.Fatal(err)
				}
				sample.VaultCPU = processorTime(v.PID()) - vault
				sample.PluginCPU = processorTime(plugins[target.Name]) - plugin
				key := seriesKey{target.Name, clients}
				series := all[key]
				series.Target, series.Clients, series.Rounds = target, clients, append(series.Rounds, sample)
				all[key] = series
			}
		}
		t.Logf("round %d of %d took %s", round+1, s.rounds, time.Since(began).Round(time.Millisecond))
	}
	return all
}

// rivals are the targets that one is compared with.
func rivals(target Target, all map[string]Series) []Series {
	var others []Series
	add := func(name string) {
		if series, ok := all[name]; ok {
			others = append(others, series)
		}
	}
	if target.Floor != "" {
		add(target.Floor)
	}
	switch target.Name {
	case ownRead:
		add(ldapRead)
	case ownLeased, floorLeased:
		add(ldapLeased)
	}
	return others
}

// leasesOf is how many leases the rounds of a target have made, the warm-up included.
func leasesOf(all map[seriesKey]Series, target string) int {
	n := warmUp
	for key, series := range all {
		if key.target == target {
			for _, round := range series.Rounds {
				n += len(round.Times)
			}
		}
	}
	return n
}

// revoke does `vault lease revoke -prefix`, waits until none of the leases is left, and returns how long that took.
func revoke(t *testing.T, v *harness.Vault, name, prefix string, leases int) time.Duration {
	t.Helper()
	began := time.Now()
	if err := v.Client.Sys().RevokeWithOptions(&api.RevokeOptions{LeaseID: prefix, Prefix: true}); err != nil {
		t.Fatalf("revoke %s: %v", prefix, err)
	}
	harness.Eventually(t, 10*time.Minute, "the end of the leases of "+prefix, func() error {
		if left := v.List(t, "sys/leases/lookup/"+prefix); len(left) > 0 {
			return fmt.Errorf("%d are left", len(left))
		}
		return nil
	})
	took := time.Since(began)
	if n := v.IrrevocableLeases(t); n > 0 {
		t.Errorf("%d leases have become irrevocable", n)
	}
	t.Logf("%s: %d leases revoked in %s", name, leases, took.Round(time.Millisecond))
	return took
}

// startsMeasured is how often a plugin is started again; the median counts.
const startsMeasured = 5

// program measures a plugin's binary, its start and its memory.
func program(t *testing.T, v *harness.Vault, name, binary, path string) Program {
	t.Helper()
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatalf("size of %s: %v", name, err)
	}
	var starts []float64
	for range startsMeasured {
		began := time.Now()
		if _, err := v.Client.Sys().ReloadPlugin(&api.ReloadPluginInput{Plugin: name}); err != nil {
			t.Fatalf("reload %s: %v", name, err)
		}
		v.Read(t, path)
		starts = append(starts, millis(time.Since(began)))
	}
	return Program{Name: name, Bytes: info.Size(), StartMillis: median(starts), ResidentBytes: residentBytes(childOf(v.PID(), binary))}
}

func machine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return m
}

func write(t *testing.T, path string, content func(io.Writer) error) {
	t.Helper()
	file, err := os.Create(path)
	if err == nil {
		err = errors.Join(content(file), file.Close())
	}
	if err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	t.Logf("wrote %s", path)
}
