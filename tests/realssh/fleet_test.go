//go:build realssh

package realssh

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// namesPerServer is how many names of the inventory lead to one server, each with a user of its own. A small sshd may serve more.
const namesPerServer = 5

// fleetUser is the user of a server's nth name.
func fleetUser(n int) string { return fmt.Sprint("app", n+1) }

// startFleet runs n servers for a fleet.
func startFleet(t *testing.T, v *vault, n int) []*Server {
	t.Helper()
	users := map[string]string{}
	for i := range namesPerServer {
		users[fleetUser(i)] = ""
	}
	return StartMany(t, n, func(int) Options { return Options{Keys: []string{v.key.Public}, Users: users} })
}

// isDead says which names of the fleet lead to no server: one of ten, of each of the users.
func isDead(name int) bool { return name/namesPerServer%10 == 3 }

// fleetName is a name of the inventory.
func fleetName(i int) string { return fmt.Sprintf("host-%04d", i) }

// enlist writes the hosts of a fleet in bulk, and a static role for each user. Dead ones refuse connections, say nothing, or swallow
// everything.
func (v *vault) enlist(t *testing.T, servers []*Server, withDead bool) (living, dead int) {
	t.Helper()
	gone := []int{closedPort(t), silentPort(t), blackHole(t)}
	var hosts []map[string]any
	ids := make([][]string, namesPerServer)
	var hostKey string
	for i := range len(servers) * namesPerServer {
		s, user := servers[i/namesPerServer], i%namesPerServer
		if user == 0 {
			hostKey = s.HostKey(t, "ed25519")
		}
		port := s.Port
		if isDead(i) {
			if !withDead {
				continue
			}
			port = gone[dead%len(gone)]
			dead++
		} else {
			living++
		}
		hosts = append(hosts, map[string]any{
			"name": fleetName(i), "connection": "c", "address": s.Address, "port": port, "host_key": hostKey,
		})
		ids[user] = append(ids[user], fleetName(i))
	}
	v.Write(t, "cloudpw/hosts", map[string]any{"hosts": hosts})
	for i, names := range ids {
		v.Write(t, "cloudpw/roles/"+fleetUser(i), map[string]any{
			"connection": "c", "instance_ids": names, "username": fleetUser(i), "mode": "static", "min_reset_interval": 0,
		})
	}
	return living, dead
}

// rotateAll orders a rotation of the whole connection, and waits until as many accounts as live are done. It returns how long that took.
func (v *vault) rotateAll(t *testing.T, living int, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	campaign := fmt.Sprint(v.Write(t, "cloudpw/rotate-connection/c", nil).Data["campaign"])
	harness.Eventually(t, within, "the rotation of all living hosts", func() error {
		data := v.Read(t, "cloudpw/campaigns/"+campaign).Data
		if fmt.Sprint(data["done"]) != strconv.Itoa(living) {
			return fmt.Errorf("%v of %d are done, %v failed", data["done"], living, data["failed"])
		}
		return nil
	})
	return time.Since(began)
}

// acceptsSome logs in to some of the living with what Vault gives.
func (v *vault) acceptsSome(t *testing.T, servers []*Server, every int) {
	t.Helper()
	for i := 0; i < len(servers)*namesPerServer; i += every {
		if isDead(i) {
			continue
		}
		user := fleetUser(i % namesPerServer)
		data := v.Read(t, "cloudpw/creds/"+user+"/"+fleetName(i)).Data
		if !servers[i/namesPerServer].Login(t, user, fmt.Sprint(data["password"])) {
			t.Errorf("%s refuses the password that Vault gives", fleetName(i))
		}
	}
}

// TestDeadHostsDoNotHoldUpLivingOnes is the small form of the benchmark, without its times: all living hosts are rotated while a tenth of
// the fleet is dead in three ways and keeps being tried.
func TestDeadHostsDoNotHoldUpLivingOnes(t *testing.T) {
	Need(t)
	t.Parallel()
	v := startVault(t, map[string]any{"max_sessions": 4, "max_requests_per_second": 20, "request_timeout": "10s"})
	servers := startFleet(t, v, 10)
	living, dead := v.enlist(t, servers, true)
	if dead == 0 {
		t.Fatal("none is dead")
	}
	v.rotateAll(t, living, 3*time.Minute)
	v.acceptsSome(t, servers, 7)
	if state := v.Read(t, "cloudpw/accounts/c/"+fleetName(0)+"/"+fleetUser(0)).Data; state["last_error"] != nil && state["last_error"] != "" {
		t.Errorf("a living host has the error %v", state["last_error"])
	}
}

// closedPort refuses connections.
func closedPort(t *testing.T) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// silentPort takes connections and says nothing.
func silentPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// blackHole answers nothing, as an address behind which nobody is: its queue of connections is full, so that Linux drops what comes.
func blackHole(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	loopback := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(syscall.Bind(fd, loopback), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	for range 16 {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), 200*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue of a listener is not full after 16 connections")
	return 0
}
