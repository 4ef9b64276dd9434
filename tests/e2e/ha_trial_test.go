//go:build e2e && ha

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	// haNodes is the size of the cluster: the smallest that survives the loss of one.
	haNodes = 3
	// kills is how often the active node is killed in a row.
	kills = 3
	// haClients use leased passwords, haReaders read scheduled ones, all through standby nodes.
	haClients, haReaders = 6, 2
	// period is the time between scheduled rotations.
	period = 10 * time.Second
	// scheduledPerRole is how many servers a role with a schedule has, fewestScheduled how many accounts with a schedule
	// there are at least that do not settle, and sharing how many servers share a password.
	scheduledPerRole, fewestScheduled, sharing = 6, 4, 3
	// goesOnWithin bounds the time until a schedule has caused a rotation: several periods, on a busy machine.
	goesOnWithin = 2 * time.Minute
)

// trial is a siege whose Vault is a cluster: leased passwords under load, and others with schedules.
type trial struct {
	*siege
	nodes    *harness.Cluster
	builds   []build // what an upgrade changes to, in turn
	upgrades int
	clients  []*client

	active *harness.Vault // by the last look
	since  time.Time      // when it became that, by itself
	mark   int            // the number of the last request to the clouds before the trouble, or after it
	// standbys are the nodes that clients may ask.
	standbys atomic.Pointer[[]*harness.Vault]

	scheduled []*scheduled
	stopLoad  func()
}

// build is the plugin in one version.
type build struct{ program, version string }

// scheduled is a server whose password is rotated on a schedule.
type scheduled struct {
	*target
	shared  bool
	answers []answer // guarded by the trial's mu
}

// startTrial starts everything but the load.
func startTrial(t *testing.T) *trial {
	t.Helper()
	bin, next := harness.FindBinaries(t), harness.FindNext(t)
	nodes := harness.StartCluster(t, bin, haNodes, next.Plugin)
	if nodes.Isolates() {
		t.Log("each node has a network namespace of its own; a node that is cut off still reaches the clouds")
	} else {
		t.Log("no network namespaces here: a node is cut off by stopping its processes")
	}
	h := &trial{
		siege: newSiege(t, nodes.Nodes[0], cloudsim.Options{TLS: true}), nodes: nodes,
		builds: []build{{next.Plugin, next.PluginVersion}, {bin.Plugin, bin.PluginVersion}},
	}
	h.through = func() *harness.Vault {
		standbys := *h.standbys.Load()
		return standbys[rand.IntN(len(standbys))]
	}
	h.fewest, h.serversPerRole, h.calm, h.wait = 16, 16, true, "4s" // within the clients' patience
	h.lead(t)
	connection := h.connection(model.TencentCloud)
	for service, url := range h.sim.Info.Endpoints[model.TencentCloud] {
		// A name that is no loopback address for the plugin: it takes its proxy.
		connection["endpoints"].(map[string]string)[service] = strings.Replace(url, "127.0.0.1", "cloud.localhost", 1)
	}
	h.Write(t, "cloudpw/config/"+string(model.TencentCloud), connection)
	for i := range haClients {
		h.clients = append(h.clients, &client{siege: h.siege, t: t, random: rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))})
	}
	h.schedule(t, true)
	return h
}

// schedule adds roles with a schedule where too few of their accounts can be rotated.
func (h *trial) schedule(t *testing.T, first bool) {
	t.Helper()
	h.reinforce(t)
	add := func(shared bool, servers int) {
		fields := map[string]any{
			"mode": "static", "rotation_period": int(period.Seconds()), "skip_import_rotation": false, "shared_password": shared,
		}
		for _, a := range h.newRole(t, fmt.Sprintf("scheduled-%d", len(h.scheduled)), servers, fields) {
			h.mu.Lock()
			h.scheduled = append(h.scheduled, &scheduled{target: a, shared: shared})
			h.mu.Unlock()
		}
	}
	able := 0
	for _, a := range h.scheduled {
		if a.settling = h.Read(t, a.account()).Data["old_unresolved"] == true; !a.settling && !a.shared {
			able++
		}
	}
	if able < fewestScheduled {
		add(false, scheduledPerRole)
	}
	if first {
		add(true, sharing)
	}
}

// lead finds the active node out and has clients ask the others.
func (h *trial) lead(t *testing.T) {
	t.Helper()
	h.active = h.nodes.AwaitActive(t)
	h.since = h.activeSince(t)
	standbys := h.nodes.Others(h.active)
	h.standbys.Store(&standbys)
	harness.Eventually(t, recoverWithin, "an answer of the engine through every node", func() error {
		for _, node := range h.nodes.Nodes {
			if _, err := node.TryRead(t.Context(), "cloudpw/status"); err != nil {
				return fmt.Errorf("%s: %w", node.Name(), err)
			}
		}
		return nil
	})
}

// activeSince is when the node that was active at the last look became that; zero if it is not any more.
func (h *trial) activeSince(t *testing.T) time.Time {
	t.Helper()
	leader, err := h.active.Client.Sys().Leader()
	if err != nil {
		t.Fatalf("leader: %v", err)
	}
	if !leader.IsSelf {
		return time.Time{}
	}
	return leader.ActiveTime
}

// begin starts the load before a trouble.
func (h *trial) begin(t *testing.T) {
	t.Helper()
	h.lead(t)
	h.schedule(t, false)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for _, c := range h.clients {
		load.Go(func() { c.run(ctx) })
	}
	for range haReaders {
		load.Go(func() { h.read(ctx, t) })
	}
	if !h.calm {
		load.Go(func() { h.weather(ctx, t, rand.New(rand.NewPCG(rand.Uint64(), 0))) })
	}
	h.stopLoad = func() { stop(); load.Wait() }
	t.Cleanup(h.stopLoad)
	h.mark = h.lastCall()
}

// proceed waits until the cluster serves again after a trouble.
func (h *trial) proceed(t *testing.T) {
	t.Helper()
	h.lead(t)
	h.schedule(t, false)
	h.mark = h.lastCall()
}

// read reads scheduled passwords until ctx ends.
func (h *trial) read(ctx context.Context, t *testing.T) {
	c := &client{siege: h.siege, t: t}
	for pause(ctx, 100*time.Millisecond) {
		h.mu.Lock()
		a := h.scheduled[rand.IntN(len(h.scheduled))]
		h.mu.Unlock()
		if err := h.ask(ctx, a); err != nil {
			c.failed(ctx, "scheduled read", err)
			continue
		}
		h.count("scheduled passwords read")
	}
}

// ask reads a scheduled password through a standby node and keeps the answer for the check of them all.
func (h *trial) ask(ctx context.Context, a *scheduled, query ...string) error {
	asked := time.Now()
	secret, err := h.through().TryRead(ctx, a.creds(), query...)
	if err != nil {
		return err
	}
	password, _ := secret.Data["password"].(string)
	h.mu.Lock()
	defer h.mu.Unlock()
	a.answers = append(a.answers, answer{password: password, asked: asked, given: time.Now()})
	return nil
}

// holdAnswer waits until the cloud has accepted a reset whose answer it holds back. Where another fault loses that request
// or its answer, it is the next one's.
func (h *trial) holdAnswer(t *testing.T) {
	t.Helper()
	hold := model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultHoldAfter, Count: 1}
	id := h.addFault(t, hold)
	harness.Eventually(t, goesOnWithin, "a reset whose answer is held back", func() error {
		if h.world.Stats().Held > 0 {
			return nil
		}
		if slices.ContainsFunc(h.world.Faults(), func(f model.Fault) bool { return f.ID == id && f.Hits > 0 }) {
			h.world.RemoveFault(id)
			id = h.addFault(t, hold)
		}
		return fmt.Errorf("none is sent; %v", h.Read(t, "cloudpw/status").Data)
	})
	h.world.RemoveFault(id)
	h.count("answers of resets held back at a trouble")
}

func (h *trial) lastCall() int {
	log := h.world.Log(h.mark)
	if len(log) == 0 {
		return h.mark
	}
	return log[len(log)-1].Seq
}

// awaitCall waits for a request to the clouds by another node than the old one.
func (h *trial) awaitCall(t *testing.T, old *harness.Vault) {
	t.Helper()
	harness.Eventually(t, goesOnWithin, "a request by the new active node", func() error {
		for _, entry := range h.world.Log(h.mark) {
			if node := h.nodes.NodeAt(entry.Source); node != nil && node != old {
				return nil
			}
		}
		return fmt.Errorf("none since request %d", h.mark)
	})
}

// succeeded waits until another node has taken over from the old one and goes on with the schedule, and checks which
// requests the old one has sent since its successor's first: at most one about each instance, which was on its way
// then.
func (h *trial) succeeded(t *testing.T, old *harness.Vault) {
	t.Helper()
	next := h.nodes.AwaitActive(t, old)
	h.awaitCall(t, old)
	first := h.lastCall()
	harness.Eventually(t, goesOnWithin, "a reset by the new active node", func() error {
		for _, entry := range h.world.Log(first) {
			if entry.Password != "" && h.nodes.NodeAt(entry.Source) == next {
				return nil
			}
		}
		return fmt.Errorf("none since request %d", first)
	})
	late, faults := lateRequests(h.world.Log(h.mark), h.nodes.Source(old))
	for range late {
		h.count("requests of a node whose successor had begun")
	}
	for _, fault := range faults {
		h.broken("%s, before %s: %s", old.Name(), next.Name(), fault)
	}
	t.Logf("%s %s has taken over from %s", clock(time.Now()), next.Name(), old.Name())
}

// settle checks that schedules go on under the load, then ends that and checks everything.
func (h *trial) settle(t *testing.T) {
	t.Helper()
	h.world.ClearFaults()
	h.goesOn(t, h.valuesNow())
	if h.stopLoad != nil {
		h.stopLoad()
	}
	h.settleDown(t)
	for _, a := range h.targets {
		h.rest(t, a)
	}
	h.checkScheduled(t)
	h.giveBack(t)
	if n := h.active.IrrevocableLeases(t); n != 0 {
		h.broken("%d leases are irrevocable", n)
	}
	h.onlyActiveCalled(t)
}

// onlyActiveCalled checks the requests to the clouds since the cluster was whole again.
func (h *trial) onlyActiveCalled(t *testing.T) {
	t.Helper()
	if !h.activeSince(t).Equal(h.since) {
		t.Log("the lead has changed by itself, on a busy machine: whose the last requests were is not checked")
		return
	}
	for _, entry := range h.world.Log(h.mark) {
		if node := h.nodes.NodeAt(entry.Source); node != h.active {
			h.broken("%s at %s came from %s, and %s was active", entry.Action, clock(entry.Time), entry.Source, h.active.Name())
		}
	}
}

// valuesNow counts the values that have been sent to scheduled servers.
func (h *trial) valuesNow() map[string]int {
	values := map[string]int{}
	for _, a := range h.scheduled {
		values[a.id], _ = checkValues(h.world.Attempts(a.id))
	}
	return values
}

// goesOn waits until every scheduled account has gone through a rotation that had not begun before, unless it settles,
// which keeps its rotation waiting and its password readable.
func (h *trial) goesOn(t *testing.T, before map[string]int) {
	t.Helper()
	rotated := 0
	for _, a := range h.scheduled {
		harness.Eventually(t, goesOnWithin, "the schedule of "+a.id, func() error {
			account := h.Read(t, a.account()).Data
			if a.settling = account["old_unresolved"] == true; a.settling {
				return nil
			}
			version, err := account["current_version"].(json.Number).Int64()
			if err == nil && int(version) <= before[a.id] {
				err = fmt.Errorf("version %d of %d values: %v", version, before[a.id], account)
			}
			return err
		})
		if !a.settling {
			rotated++
		}
	}
	if rotated == 0 {
		h.broken("all accounts with a schedule settle, so that none shows that schedules go on")
	}
}

// checkScheduled checks the passwords and the values of scheduled accounts, and all that was answered of them.
func (h *trial) checkScheduled(t *testing.T) {
	t.Helper()
	for _, a := range h.scheduled {
		harness.Eventually(t, goesOnWithin, "a login with the password that Vault has for "+a.id, func() error { return h.login(t, a) })
		harness.Eventually(t, goesOnWithin, "one value per rotation of "+a.id, func() error { return h.oneValueEach(t, a) })
		attempts := h.world.Attempts(a.id)
		_, faults := checkValues(attempts)
		for _, fault := range append(faults, checkAnswers(attempts, a.answers)...) {
			h.broken("%s: %s", a.id, fault)
		}
	}
}

// login logs in with what creds/ gives. A rotation may come between.
func (h *trial) login(t *testing.T, a *scheduled) error {
	if err := h.ask(t.Context(), a, "wait", h.wait); err != nil {
		return err
	}
	return h.cloud.Login(t.Context(), a.id, siegeUser, a.answers[len(a.answers)-1].password)
}

// oneValueEach compares the values that the cloud was asked to set with the account's version, at a moment between two
// rotations.
func (h *trial) oneValueEach(t *testing.T, a *scheduled) error {
	read := func() (version string, resting bool) {
		account := h.Read(t, a.account()).Data
		if account["candidates"] != json.Number("0") {
			h.broken("%s: it has candidates: %v", a.id, account)
		}
		return fmt.Sprint(account["current_version"]), account["pending_since"] == nil
	}
	version, resting := read()
	values, _ := checkValues(h.world.Attempts(a.id))
	if again, still := read(); !resting || !still || again != version {
		return fmt.Errorf("it is being rotated")
	}
	if fmt.Sprint(values) != version {
		return fmt.Errorf("the cloud was asked to set %d values, and version %s is current", values, version)
	}
	return nil
}

// giveBack ends all leases, through standby nodes, but those of accounts that settle, whose next password would have to
// wait.
func (h *trial) giveBack(t *testing.T) {
	t.Helper()
	for _, c := range h.clients {
		c.held = nil
	}
	for _, a := range h.targets {
		if a.settling {
			continue
		}
		harness.Eventually(t, revokedWithin, "the end of the leases of "+a.id, func() error {
			return h.through().Client.Sys().RevokePrefixWithContext(t.Context(), a.creds())
		})
		for _, g := range h.grants[a.id] {
			if !g.ended {
				h.givenBack(a, g.lease)
				h.ended(a, g.lease)
			}
		}
	}
}
