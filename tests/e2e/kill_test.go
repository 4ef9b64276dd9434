//go:build e2e

package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	// defaultKills is how many kills have to hit a rotation in flight.
	defaultKills = 20
	// siegeClients load Vault at once.
	siegeClients = 10
	// recoverWithin bounds the way back after a kill.
	recoverWithin = 60 * time.Second
	// mostCalm is the longest time without a kill.
	mostCalm = 6 * time.Second
)

// TestKillsLoseNoPassword kills the plugin's process and Vault (SIGKILL) at random moments, and has Vault give up the
// lead once, while clients read, renew and revoke and the cloud misbehaves, until 20 kills have hit a rotation in flight.
// CLOUDPW_KILLS sets another number, CLOUDPW_SEED repeats the choices of an earlier run as far as timing lets it.
//
// Throughout, every password that Vault answers is the one that the server has, from the answer until the client gives
// the lease back. Afterwards every server accepts over SSH the password that Vault gives; every rotation has sent one
// value, and no value was lost; no new value follows one whose request may still arrive; no lease has become irrevocable.
func TestKillsLoseNoPassword(t *testing.T) {
	kills := int(setting(t, "CLOUDPW_KILLS", defaultKills))
	seed := setting(t, "CLOUDPW_SEED", rand.Uint64())
	t.Logf("seed: CLOUDPW_SEED=%d", seed)

	s := startSiege(t)
	defer s.report(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer func() { stop(); load.Wait() }()
	for i := range siegeClients {
		c := &client{siege: s, t: t, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		load.Go(func() { c.run(ctx) })
	}
	load.Go(func() { s.weather(ctx, t, rand.New(rand.NewPCG(seed, 1000))) })

	k := &killer{siege: s, random: rand.New(rand.NewPCG(seed, 2000))}
	began := time.Now()
	for k.hits < kills {
		if limit := time.Duration(kills) * 15 * time.Second; time.Since(began) > limit {
			t.Fatalf("only %d of %d kills have hit a rotation in flight within %s", k.hits, kills, limit)
		}
		k.next(t)
		if k.hits >= kills/2 && !k.steppedDown {
			k.stepDown(t)
		}
		s.reinforce(t)
	}
	t.Logf("%d kills, %d of them in a rotation, in %s", k.kills, k.hits, time.Since(began).Round(time.Second))

	stop()
	load.Wait()
	k.endOrphans(t)
	s.world.ClearFaults()
	s.settleDown(t)
	for _, a := range s.targets {
		s.rest(t, a)
	}
	s.leasesEnded(t)
	s.waitWhileSettling(t)
	if n := s.IrrevocableLeases(t); n != 0 {
		t.Errorf("%d leases are irrevocable", n)
	}
	s.countRotations()
	s.countAttempts()
	for _, fault := range s.faults {
		t.Error(fault)
	}
}

// killer kills processes.
type killer struct {
	*siege
	random      *rand.Rand
	kills, hits int
	steppedDown bool
	// orphans are plugin processes that a killed Vault has left: they go on for a while, cut off from storage, with what
	// they had recorded.
	orphans []int
}

// next waits for a random moment, kills, and waits until the engine answers again.
func (k *killer) next(t *testing.T) {
	t.Helper()
	server := k.plugin(t)
	if pause(t.Context(), between(k.random, 0, mostCalm)); k.random.IntN(3) == 0 {
		k.holdAnswer(t)
	}
	what := "the plugin"
	if k.random.IntN(5) < 2 {
		what = "Vault"
	}
	inFlight := k.world.Stats().InFlight
	hit := k.world.Mark()
	switch what {
	case "Vault":
		k.Kill()
		k.endOrphans(t)
		k.orphans = append(k.orphans, server)
		if k.random.IntN(2) == 0 {
			k.endOrphans(t)
		}
		k.Restart(t)
	default:
		k.EndPlugin(t, server)
	}
	k.world.ReleaseHolds()
	k.kills++
	if hit {
		k.hits++
	}
	t.Logf("%s kill %d: %s, %d resets running, hit: %v", clock(time.Now()), k.kills, what, inFlight, hit)
	k.recovered(t)
}

// recovered waits until the engine answers.
func (k *killer) recovered(t *testing.T) {
	t.Helper()
	harness.Eventually(t, recoverWithin, "an answer of the engine", func() error {
		_, err := k.TryRead(t.Context(), "cloudpw/config/"+string(model.TencentCloud))
		return err
	})
}

// stepDown has Vault give up the lead, in the middle of resets, and waits until it has it again. That stops the mount's
// background work and starts it again without the end of any server process.
func (k *killer) stepDown(t *testing.T) {
	t.Helper()
	k.holdAnswer(t)
	if err := k.Client.Sys().StepDownWithContext(t.Context()); err != nil {
		t.Fatalf("step down: %v", err)
	}
	k.world.ReleaseHolds()
	k.steppedDown = true
	t.Logf("%s step down", clock(time.Now()))
	k.recovered(t)
}

// plugin is the process that serves the mount.
func (k *killer) plugin(t *testing.T) int {
	t.Helper()
	pids := slices.DeleteFunc(k.PluginPIDs(t), func(pid int) bool { return slices.Contains(k.orphans, pid) })
	if len(pids) == 0 {
		t.Fatal("no plugin process serves the mount")
	}
	return pids[len(pids)-1]
}

// endOrphans ends what killed servers have left.
func (k *killer) endOrphans(t *testing.T) {
	t.Helper()
	for _, pid := range k.orphans {
		k.EndPlugin(t, pid)
	}
	k.orphans = nil
}

// holdAnswer waits until the cloud has accepted a reset whose answer it holds back. If no reset comes in time, the kill
// is one at a random moment.
func (k *killer) holdAnswer(t *testing.T) {
	t.Helper()
	id := k.addFault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultHoldAfter, Count: 1})
	defer k.world.RemoveFault(id)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	for k.world.Stats().Held == 0 {
		if !pause(ctx, 5*time.Millisecond) {
			return
		}
	}
	k.count("answers of resets held back at a kill")
}

// setting is a number from the environment.
func setting(t *testing.T, name string, unset uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return unset
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s=%s: want a positive number", name, text)
	}
	return n
}
