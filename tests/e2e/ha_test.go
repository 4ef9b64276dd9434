//go:build e2e && ha

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// troubles are what happens to the cluster, in this order. Each returns when all nodes are there again.
var troubles = []struct {
	name string
	play func(*trial, *testing.T)
}{
	{"step-down", (*trial).stepDown},
	{"kill of the active node", (*trial).kill},
	{"active node cut off", (*trial).cutOff},
	{"active node frozen", (*trial).freeze},
	{"seal and unseal of the active node", (*trial).seal},
	{"plugin reload", (*trial).reload},
	{"plugin upgrade", (*trial).upgrade},
	{"restart of all nodes", (*trial).restartAll},
}

// TestHighAvailability runs a cluster of three nodes on integrated storage, with the plugin on each, under the load of
// clients that speak to standby nodes only, while passwords are rotated at the end of leases and on schedules, and lets
// happen what happens to clusters. CLOUDPW_ROUNDS repeats it all, with a cloud that misbehaves as well.
//
// Throughout, every password that Vault answers is the server's. After each trouble: Vault has the password of every
// server, shown by SSH; schedules go on; each rotation has sent one value; a node that lost the lead has called the
// cloud no more than once about an instance after its successor began, and not at all once it knew; leases end, and
// none is irrevocable.
func TestHighAvailability(t *testing.T) {
	rounds := int(setting(t, "CLOUDPW_ROUNDS", 1))
	only, err := regexp.Compile(os.Getenv("CLOUDPW_TROUBLE"))
	if err != nil {
		t.Fatalf("CLOUDPW_TROUBLE: %v", err)
	}
	h := startTrial(t)
	defer h.report(t)
	h.settle(t)
	for round := range rounds {
		h.calm = round == 0
		for _, trouble := range troubles {
			if !only.MatchString(trouble.name) {
				continue
			}
			began := time.Now()
			what := fmt.Sprintf("round %d, %s", round+1, trouble.name)
			t.Logf("%s %s", clock(began), what)
			h.begin(t)
			trouble.play(h, t)
			over := time.Now()
			h.proceed(t)
			h.settle(t)
			t.Logf("%s %s: %s of trouble, checked in %s", clock(time.Now()), what,
				over.Sub(began).Round(time.Second), time.Since(over).Round(time.Second))
			for _, fault := range h.faults {
				t.Errorf("%s: %s", what, fault)
			}
			if t.Failed() {
				return
			}
		}
	}
	h.leasesEnded(t)
	h.countRotations()
	h.countAttempts()
}

// stepDown has the active node give the lead up in the middle of rotations.
func (h *trial) stepDown(t *testing.T) {
	old := h.active
	h.holdAnswer(t)
	old.StepDown(t)
	h.world.ReleaseHolds()
	h.succeeded(t, old)
}

// kill ends the active node's process at once, several times, with a reset that the cloud has accepted and not answered
// yet. The plugin's process stays behind without a Vault, and is watched.
func (h *trial) kill(t *testing.T) {
	for n := range kills {
		old := h.active
		orphans := old.PluginPIDs(t)
		h.holdAnswer(t)
		if h.world.Mark() {
			h.count("kills in a rotation")
		}
		old.Kill()
		h.world.ReleaseHolds()
		h.succeeded(t, old)
		left := slices.DeleteFunc(old.PluginPIDs(t), func(pid int) bool { return !slices.Contains(orphans, pid) })
		t.Logf("kill %d: of %d plugin processes %d are left", n+1, len(orphans), len(left))
		old.Restart(t)
		for _, pid := range orphans {
			old.EndPlugin(t, pid)
		}
		h.proceed(t)
	}
}

// cutOff parts the active node from the others, not from the clouds.
func (h *trial) cutOff(t *testing.T) {
	old := h.active
	h.holdAnswer(t)
	old.Cut(t)
	h.nodes.AwaitActive(t, old)
	h.world.ReleaseHolds()
	h.succeeded(t, old)
	old.Heal(t)
}

// freeze stops the active node's processes, which do not know afterwards that time has passed.
func (h *trial) freeze(t *testing.T) {
	old := h.active
	h.holdAnswer(t)
	old.Freeze(t)
	h.nodes.AwaitActive(t, old)
	h.world.ReleaseHolds()
	h.awaitCall(t, old)
	old.Thaw(t)
	h.succeeded(t, old)
}

// seal seals the active node.
func (h *trial) seal(t *testing.T) {
	old := h.active
	h.holdAnswer(t)
	old.Seal(t)
	h.world.ReleaseHolds()
	h.succeeded(t, old)
	old.Unseal(t)
}

// reload ends the plugin's process and starts it again in the middle of rotations.
func (h *trial) reload(t *testing.T) {
	h.holdAnswer(t)
	h.active.CLI(t, "plugin", "reload", "-plugin="+harness.PluginName, "-scope=global")
	h.world.ReleaseHolds()
}

// upgrade runs another version of the plugin while accounts are due, one of them in the middle of its rotation.
func (h *trial) upgrade(t *testing.T) {
	next := h.builds[h.upgrades%len(h.builds)]
	h.upgrades++
	h.holdAnswer(t)
	refusing := h.addFault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultThrottle})
	harness.Eventually(t, goesOnWithin, "due accounts", func() error {
		for _, a := range h.scheduled {
			if account := h.Read(t, a.account()).Data; !a.settling && account["due_reason"] == nil {
				return fmt.Errorf("%s is not due", a.id)
			}
		}
		return nil
	})
	h.active.UpgradePlugin(t, next.program, next.version)
	h.world.RemoveFault(refusing)
	h.world.ReleaseHolds()
	if got := h.active.RunningVersion(t); got != next.version {
		t.Fatalf("the mount runs version %s after the upgrade, want %s", got, next.version)
	}
}

// restartAll ends all nodes, as an operator does, and starts them again.
func (h *trial) restartAll(t *testing.T) {
	h.holdAnswer(t)
	for _, node := range append(h.nodes.Others(h.active), h.active) {
		node.Stop()
	}
	h.world.ReleaseHolds()
	for _, node := range h.nodes.Nodes {
		node.Restart(t)
	}
}
