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
	targets := append(around(t, v, bin), own(t, v, sim, s.accounts)...)
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
			series[target.Name] = all[seriesKey{target.Name, clients}]
		}
		for _, target := range targets {
			report.Reads = append(report.Reads, series[target.Name].Row(storage, rivals(target, series)...))
		}
	}
	report.add(t, sim.World().Log(0)[calls:], passwordsRead(all))
	if storage == "inmem" {
		report.Plugins = append(report.Plugins,
			program(t, v, floorPlugin, pluginBeside(bin, floorPlugin), "floor/nothing"),
			program(t, v, harness.PluginName, bin.Plugin, "cloudpw/creds/static"))
	}
	for _, target := range targets {
		switch target.Name {
		case ownLeased:
			report.Revoked = append(report.Revoked, revoke(t, v, storage, target.Name, leasePrefix, leasesOf(all, target.Name)))
		case ldapLeased:
			report.Revoked = append(report.Revoked, revoke(t, v, storage, target.Name, "ldap/creds/dynamic", leasesOf(all, target.Name)))
		case floorLeased:
			report.Revoked = append(report.Revoked, revoke(t, v, storage, target.Name, "floor/leased", leasesOf(all, target.Name)))
		}
	}
}

// passwordsRead is how many passwords the rounds have read from cloudpw.
func passwordsRead(all map[seriesKey]Series) int {
	return leasesOf(all, ownRead) + leasesOf(all, ownLeased)
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
const raftShare = 4

// warmUp is how many requests of each target go before the first round: connections are opened and caches filled.
const warmUp = 50

// rounds asks all targets in turn, s.rounds times, each round beginning with another one.
func rounds(t *testing.T, s settings, v *harness.Vault, targets []Target) map[seriesKey]Series {
	t.Helper()
	load := NewLoad(v.Address, v.RootToken(), many)
	defer load.Close()
	for _, target := range targets {
		if _, err := load.Run(t.Context(), target, many, warmUp); err != nil {
			t.Fatal(err)
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
				requests := n
				if target.Share > 0 {
					requests = max(int(float64(n)*target.Share), clients)
				}
				sample, err := load.Run(t.Context(), target, clients, requests)
				if err != nil {
					t.Fatal(err)
				}
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

// rivals are the targets that cloudpw's are compared with.
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
	case ownLeased:
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

// revoke does `vault lease revoke -prefix` and waits until none of the leases is left.
func revoke(t *testing.T, v *harness.Vault, storage, name, prefix string, leases int) Revoked {
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
	return Revoked{Storage: storage, Name: name, Leases: leases, Seconds: took.Seconds()}
}

// startsMeasured is how often a plugin is started anew; the median counts.
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
	return Program{Name: name, Bytes: info.Size(), StartMillis: median(starts), ResidentBytes: resident(binary)}
}

// resident is the memory of the newest process of a program, or 0 where the system does not tell.
func resident(binary string) int64 {
	statuses, _ := filepath.Glob("/proc/[0-9]*/exe")
	var kilobytes int64
	for _, link := range statuses {
		if target, err := os.Readlink(link); err != nil || target != binary {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(link), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				if _, err := fmt.Sscan(value, &kilobytes); err != nil {
					return 0
				}
			}
		}
	}
	return kilobytes << 10
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
