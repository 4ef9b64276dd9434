package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// Cluster is a Vault of several nodes on integrated storage. Each node has a plugin_directory of its own, and reaches
// the simulated clouds through a proxy of its own.
type Cluster struct {
	Nodes []*Vault

	sources []string // by node
}

// ClusterTimeout is how long a client waits for an answer. A node that loses the active one without a word does not take
// over before the requests that it has passed on have ended, or their connection has proved dead, after 25 s.
const ClusterTimeout = 10 * time.Second

// StartCluster runs a cluster with one unseal key share, and an audit log in the first node's folder for them all.
// programs are what lies in each plugin_directory besides the plugin.
func StartCluster(tb testing.TB, bin Binaries, nodes int, programs ...string) *Cluster {
	tb.Helper()
	c := &Cluster{}
	for i, m := range startMachines(tb, nodes) {
		proxy := StartProxy(tb, m.here, fmt.Sprintf("127.0.1.%d", i+1))
		name := fmt.Sprintf("node-%d", i+1)
		own := bin
		own.Plugin = installPlugins(tb, bin.Plugin, programs)
		node := startRaftNode(tb, own, name, m, []Option{func(v *Vault) {
			v.member, v.extra = true, []string{"HTTPS_PROXY=" + proxy.URL}
		}})
		if c.sources = append(c.sources, proxy.Source); i == 0 {
			node.initialise(tb)
		} else {
			first := c.Nodes[0]
			node.unseal = first.unseal
			node.setToken(first.token)
			_, err := node.Client.Sys().RaftJoin(&api.RaftJoinRequest{LeaderAPIAddr: "http://" + first.inside})
			if err != nil {
				tb.Fatalf("join %s to the cluster: %v", name, err)
			}
		}
		node.unsealNow(tb)
		node.Client.SetClientTimeout(ClusterTimeout)
		c.Nodes = append(c.Nodes, node)
		if i == 0 {
			c.AwaitActive(tb)
			node.enableAudit(tb)
			// New nodes vote after a second in which they are well, instead of ten.
			node.Write(tb, "sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "1s"})
		}
	}
	c.awaitVoters(tb)
	return c
}

// installPlugins makes a plugin_directory and returns the path of the plugin in it.
func installPlugins(tb testing.TB, plugin string, others []string) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatalf("plugin_directory: %v", err)
	}
	for _, program := range append([]string{plugin}, others...) {
		content, err := os.ReadFile(program)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(program)), content, 0o755)
		}
		if err != nil {
			tb.Fatalf("plugin_directory: %v", err)
		}
	}
	return filepath.Join(dir, filepath.Base(plugin))
}

// awaitVoters waits until every node has a vote: before that the cluster survives the loss of none.
func (c *Cluster) awaitVoters(tb testing.TB) {
	tb.Helper()
	Eventually(tb, startWithin, "a cluster whose nodes all vote", func() error {
		state, err := c.Nodes[0].Client.Sys().RaftAutopilotState()
		if err != nil {
			return err
		}
		if state == nil || !state.Healthy || len(state.Voters) != len(c.Nodes) {
			return fmt.Errorf("autopilot's state is %+v", state)
		}
		return nil
	})
}

// Isolates tells whether a node can be cut off from the others while it reaches the test and the clouds. Where it
// cannot, Cut stops its processes.
func (c *Cluster) Isolates() bool { return c.Nodes[0].machine.own() }

// AwaitActive waits until exactly one node is active and returns it. Nodes that are away are not asked.
func (c *Cluster) AwaitActive(tb testing.TB, away ...*Vault) *Vault {
	tb.Helper()
	var active *Vault
	Eventually(tb, takeOverWithin, "an active node", func() error {
		active = nil
		for _, node := range c.Nodes {
			if slices.Contains(away, node) {
				continue
			}
			leader, err := node.Client.Sys().Leader()
			switch {
			case err != nil || !leader.IsSelf:
			case active != nil:
				return fmt.Errorf("%s and %s are both active", active.name, node.name)
			default:
				active = node
			}
		}
		if active == nil {
			return errors.New("none is active")
		}
		return nil
	})
	return active
}

// takeOverWithin bounds the election of a node and its way to work on a busy machine.
const takeOverWithin = 90 * time.Second

// Others are the nodes but those.
func (c *Cluster) Others(but ...*Vault) []*Vault {
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(node *Vault) bool { return slices.Contains(but, node) })
}

// Standby chooses one of the nodes but those.
func (c *Cluster) Standby(but ...*Vault) *Vault {
	others := c.Others(but...)
	return others[rand.IntN(len(others))]
}

// NodeAt is the node whose plugin's requests come from an address, or nil.
func (c *Cluster) NodeAt(source string) *Vault {
	if i := slices.Index(c.sources, source); i >= 0 {
		return c.Nodes[i]
	}
	return nil
}

// Source is the address that the requests of a node's plugin come from.
func (c *Cluster) Source(node *Vault) string { return c.sources[slices.Index(c.Nodes, node)] }

// Name is the node's name: node-1, node-2, ...
func (v *Vault) Name() string { return v.name }

// Cut parts the node from the other nodes. The test and the clouds still reach it, and it them. Where the test has no
// network of its own (see [Cluster.Isolates]) it does what Freeze does.
func (v *Vault) Cut(tb testing.TB) {
	tb.Helper()
	if !v.machine.own() {
		v.Freeze(tb)
		return
	}
	ip(tb, "link", "set", v.machine.port, "down")
}

// Heal undoes Cut.
func (v *Vault) Heal(tb testing.TB) {
	tb.Helper()
	if !v.machine.own() {
		v.Thaw(tb)
		return
	}
	ip(tb, "link", "set", v.machine.port, "up")
}

// Freeze stops the processes of the node and its plugin (SIGSTOP), as a virtual machine that is paused.
func (v *Vault) Freeze(tb testing.TB) {
	tb.Helper()
	v.signal(tb, syscall.SIGSTOP)
	tb.Cleanup(func() { v.signal(tb, syscall.SIGCONT) }) // a stopped process does not end when it is asked to
}

// Thaw undoes Freeze.
func (v *Vault) Thaw(tb testing.TB) {
	tb.Helper()
	v.signal(tb, syscall.SIGCONT)
}

func (v *Vault) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	for _, pid := range append(v.pluginPIDs(tb), v.process.PID()) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Errorf("signal %s to process %d of %s: %v", signal, pid, v.name, err)
		}
	}
}

// Stop ends the server as an operator does, and waits for its end.
func (v *Vault) Stop() { v.process.Stop() }
