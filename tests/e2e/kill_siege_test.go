//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	// siegeUser is the user whose password is rotated on every server.
	siegeUser = "root"
	// fewestTargets is how many servers there are at least whose accounts can be rotated, in a siege of one Vault.
	fewestTargets = 40
	// operationTime is how long a reset takes. With the default interval between two looks at its record, a rotation
	// takes about 3 s.
	operationTime = 900 * time.Millisecond
)

// siege is a real Vault on Raft storage with servers in leased roles, simulated in this process so that a kill and the
// count of what it hit are microseconds apart.
type siege struct {
	*env
	world *model.World
	cloud *cloudsim.Sim
	// through chooses the Vault node that a client asks next.
	through func() *harness.Vault
	// fewest is how many servers there are at least whose accounts can be rotated, serversPerRole how many are added
	// at once, with a role of their own.
	fewest, serversPerRole int
	// calm keeps resets from failing by faults of the cloud.
	calm bool
	// wait is how long a read may wait for a password, as a value of that query parameter.
	wait string

	mu       sync.Mutex
	targets  []*target
	grants   map[string][]grant // by server id
	faults   []string           // broken promises
	counters map[string]int     // what happened, for the log
}

// target is one server and its account.
type target struct {
	id   string
	role string

	mu sync.Mutex
	// settling is set once an attempt's outcome stays unknown until the settle window has passed, which takes longer
	// than the test. The account may be read then, and a rotation would wait.
	settling bool
	fault    int // the fault armed for its next reset; 0: none
	failures int // how many operations reported as failed were armed
}

func (a *target) creds() string { return "cloudpw/creds/" + a.role + "/" + a.id }
func (a *target) account() string {
	return "cloudpw/accounts/" + string(model.TencentCloud) + "/" + a.id + "/" + siegeUser
}

// startSiege starts all that.
func startSiege(t *testing.T) *siege {
	t.Helper()
	s := newSiege(t, harness.StartRaftVault(t, harness.FindBinaries(t)), cloudsim.Options{})
	s.fewest, s.serversPerRole, s.wait = fewestTargets, 24, "15s"
	s.connect(t, model.TencentCloud)
	s.reinforce(t)
	return s
}

// newSiege starts the simulated clouds and mounts the engine in a Vault.
func newSiege(t *testing.T, vault *harness.Vault, clouds cloudsim.Options) *siege {
	t.Helper()
	clouds.OperationTime = operationTime
	sim := cloudsim.Start(t, clouds)
	if _, err := sim.Seed(cloudsim.SeedOptions{NoServers: true}); err != nil {
		t.Fatalf("seed the simulated clouds: %v", err)
	}
	info := sim.Info()
	s := &siege{
		env:   &env{Vault: vault, sim: &harness.Simulator{Client: adminapi.Client{URL: info.Admin}, Info: info}},
		world: sim.World(), cloud: sim, through: func() *harness.Vault { return vault },
		grants: map[string][]grant{}, counters: map[string]int{},
	}
	s.RegisterAndMount(t)
	return s
}

// reinforce adds servers and roles where too few accounts are left that can be rotated: each kill and each lost answer
// leaves some that settle.
func (s *siege) reinforce(t *testing.T) {
	t.Helper()
	for s.rotatable() < s.fewest {
		role := fmt.Sprintf("siege-%d", len(s.targets)/s.serversPerRole)
		added := s.newRole(t, role, s.serversPerRole, map[string]any{"ttl": "2h", "max_ttl": "4h"})
		s.mu.Lock()
		s.targets = append(s.targets, added...)
		s.mu.Unlock()
	}
}

// newRole adds servers, with a role for them that has these fields besides the usual ones.
func (s *siege) newRole(t *testing.T, role string, servers int, more map[string]any) []*target {
	t.Helper()
	seeded := s.sim.Info.Seeded[model.TencentCloud]
	var added []*target
	var ids []string
	for range servers {
		server, err := s.world.AddServer(model.Server{
			Cloud: model.TencentCloud, AccountID: seeded.AccountID, Region: seeded.Region, Platform: model.Linux,
		})
		if err != nil {
			t.Fatalf("add a server: %v", err)
		}
		added, ids = append(added, &target{id: server.ID, role: role}), append(ids, server.ID)
	}
	fields := map[string]any{
		"connection": string(model.TencentCloud), "instance_ids": strings.Join(ids, ","), "username": siegeUser,
		"force_stop": true, "min_reset_interval": 0,
	}
	maps.Copy(fields, more)
	harness.Eventually(t, recoverWithin, "role "+role, func() error { // the cloud may refuse to describe the servers
		_, err := s.Client.Logical().WriteWithContext(t.Context(), "cloudpw/roles/"+role, fields)
		return err
	})
	return added
}

// rotatable counts the accounts that do not settle.
func (s *siege) rotatable() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.targets {
		a.mu.Lock()
		if !a.settling {
			n++
		}
		a.mu.Unlock()
	}
	return n
}

// broken notes that a promise was broken.
func (s *siege) broken(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, clock(time.Now())+" "+fmt.Sprintf(format, args...))
}

// count counts something for the log.
func (s *siege) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters[what]++
}

// granted records what Vault has handed out.
func (s *siege) granted(a *target, g grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[a.id] = append(s.grants[a.id], g)
}

// givenBack records that a client asked for the end of its lease.
func (s *siege) givenBack(a *target, lease string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grantOf(a, lease); g.until.IsZero() {
		g.until = time.Now()
	}
}

// ended records that Vault has agreed.
func (s *siege) ended(a *target, lease string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grantOf(a, lease).ended = true
}

// grantOf finds a grant by its lease. The caller holds the lock.
func (s *siege) grantOf(a *target, lease string) *grant {
	grants := s.grants[a.id]
	return &grants[slices.IndexFunc(grants, func(g grant) bool { return g.lease == lease })]
}

// report logs what happened.
func (s *siege) report(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(s.counters)) {
		t.Logf("%5d %s", s.counters[what], what)
	}
}

// resetFaults are what may happen to a reset, once. Where the outcome of the request stays unknown the account settles
// afterwards.
var resetFaults = []model.Fault{
	{Kind: model.FaultDropBefore},
	{Kind: model.FaultDropAfter},
	{Kind: model.FaultLateArrival, Delay: 1500 * time.Millisecond},
	{Kind: model.FaultForeign},
	{Kind: model.FaultServerError},
	{Kind: model.FaultThrottle},
	{Kind: model.FaultDelay, Delay: 700 * time.Millisecond},
	{Kind: model.FaultLateApply, Delay: 1200 * time.Millisecond},
	{Kind: model.FaultLagRecord, Delay: 2500 * time.Millisecond},
	{Kind: model.FaultFailedApplied, Message: "the agent in the guest did not answer"},
	{Kind: model.FaultFailedNotApplied, Message: "the agent in the guest did not answer"},
}

// mostFailures is how many operations of one server are reported as failed: a third one in the same rotation would have
// the value replaced once its attempts have settled, which is later than the test ends.
const mostFailures = 2

// arm makes something go wrong with the next reset of a server, now and then.
func (s *siege) arm(t testing.TB, a *target, random *rand.Rand) {
	if s.calm || random.Float64() > 0.35 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault != 0 {
		s.world.RemoveFault(a.fault)
	}
	fault := resetFaults[random.IntN(len(resetFaults))]
	if fault.Kind == model.FaultFailedApplied || fault.Kind == model.FaultFailedNotApplied {
		if a.failures == mostFailures {
			return
		}
		a.failures++
	}
	fault.Cloud, fault.Action, fault.Instance, fault.Count = model.TencentCloud, "ResetInstancesPassword", a.id, 1
	a.fault = s.addFault(t, fault)
}

// recordFaults are what may happen to a look at the operations.
var recordFaults = []model.Fault{
	{Kind: model.FaultDropBefore}, {Kind: model.FaultDropAfter}, {Kind: model.FaultThrottle}, {Kind: model.FaultServerError},
	{Kind: model.FaultDelay, Delay: 800 * time.Millisecond},
}

// weather makes looks at the operations fail from time to time, until ctx ends.
func (s *siege) weather(ctx context.Context, t testing.TB, random *rand.Rand) {
	for pause(ctx, between(random, 500*time.Millisecond, 3*time.Second)) {
		fault := recordFaults[random.IntN(len(recordFaults))]
		fault.Cloud, fault.Action, fault.Count = model.TencentCloud, "DescribeInstances", 1
		s.addFault(t, fault)
	}
}

func (s *siege) addFault(t testing.TB, fault model.Fault) int {
	id, err := s.world.AddFault(fault)
	if err != nil {
		t.Errorf("add a fault: %v", err)
	}
	return id
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between draws a duration.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}
