package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Ports of a Vault that has a machine, and so all ports, to itself.
const (
	apiPort     = "8200"
	clusterPort = "8201"
)

// A machine is where a server runs: this one, or a network namespace that stands for one of its own.
type machine struct {
	// prefix is what a command starts with to run there.
	prefix []string
	// outside is the address under which the test reaches the server, inside that which other servers use, and here
	// that on which the test listens for the server.
	outside, inside, here string
	// port is the network interface that joins the machine to the others; empty on this machine.
	port string
}

// thisMachine is the one that the test runs on.
var thisMachine = machine{outside: "127.0.0.1", inside: "127.0.0.1", here: "127.0.0.1"}

func (m machine) own() bool { return m.port != "" }

// addresses chooses the host:port of a server's API and of its cluster traffic, as others reach them and as it listens.
func (m machine) addresses(tb testing.TB) (api, cluster, listenAPI, listenCluster string) {
	tb.Helper()
	if m.own() {
		return net.JoinHostPort(m.outside, apiPort), net.JoinHostPort(m.inside, clusterPort), "0.0.0.0:" + apiPort, "0.0.0.0:" + clusterPort
	}
	api, cluster = freePort(tb), freePort(tb)
	return api, cluster, api, cluster
}

// command adds the prefix to a program and its arguments.
func (m machine) command(bin string, args ...string) (string, []string) {
	if len(m.prefix) == 0 {
		return bin, args
	}
	all := append(append(m.prefix[:len(m.prefix):len(m.prefix)], bin), args...)
	return all[0], all[1:]
}

// OwnNetwork is the environment variable that says that the test may change the network: it runs in a network
// namespace of its own (scripts/own-network.sh), which ends with it.
const OwnNetwork = "CLOUDPW_OWN_NETWORK"

// startMachines makes machines as network namespaces: each has a link to this one, over which the test and the clouds
// are reached, and one to a switch that joins the machines, which can be cut. A process that does nothing keeps each
// namespace; it ends with the test, and the namespace with it. Without a network of its own the test gets this machine
// several times.
func startMachines(tb testing.TB, n int) []machine {
	tb.Helper()
	machines := make([]machine, n)
	if os.Getenv(OwnNetwork) == "" {
		for i := range machines {
			machines[i] = thisMachine
		}
		return machines
	}
	ip(tb, "link", "set", "lo", "up")
	ip(tb, "link", "add", "switch", "type", "bridge")
	ip(tb, "link", "set", "switch", "up")
	for i := range machines {
		machines[i] = startMachine(tb, i+1)
	}
	return machines
}

// startMachine makes the n-th machine, counted from 1.
func startMachine(tb testing.TB, n int) machine {
	tb.Helper()
	keeper := StartProcess(tb, fmt.Sprintf("machine-%d", n), tb.TempDir(), "unshare", "--net", "sleep", "infinity")
	pid := strconv.Itoa(keeper.PID())
	namespace := "/proc/" + pid + "/ns/net"
	Eventually(tb, startWithin, "a network namespace", func() error {
		if err := keeper.alive(); err != nil {
			return err
		}
		theirs, err := os.Readlink(namespace)
		if err != nil {
			return err
		}
		if ours, err := os.Readlink("/proc/self/ns/net"); err != nil || ours == theirs {
			return errors.Join(err, errors.New("it is this one still"))
		}
		return nil
	})
	m := machine{
		prefix:  []string{"nsenter", "--net=" + namespace, "--"},
		outside: fmt.Sprintf("10.2.%d.2", n), here: fmt.Sprintf("10.2.%d.1", n), inside: fmt.Sprintf("10.1.0.%d", n),
		port: fmt.Sprintf("port%d", n),
	}
	out := fmt.Sprintf("out%d", n)
	ip(tb, "link", "add", m.port, "type", "veth", "peer", "name", "cluster", "netns", pid)
	ip(tb, "link", "set", m.port, "master", "switch", "up")
	ip(tb, "link", "add", out, "type", "veth", "peer", "name", "out", "netns", pid)
	ip(tb, "address", "add", m.here+"/24", "dev", out)
	ip(tb, "link", "set", out, "up")
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", m.inside + "/24", "dev", "cluster"},
		{"link", "set", "cluster", "up"},
		{"address", "add", m.outside + "/24", "dev", "out"},
		{"link", "set", "out", "up"},
	} {
		bin, all := m.command("ip", args...)
		run(tb, bin, all...)
	}
	return m
}

// ip changes the network of the test.
func ip(tb testing.TB, args ...string) {
	tb.Helper()
	run(tb, "ip", args...)
}

func run(tb testing.TB, bin string, args ...string) {
	tb.Helper()
	if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s %s: %v: %s", bin, strings.Join(args, " "), err, out)
	}
}
