package backend

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	xssh "golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/ssh"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/keyhost"
)

// keyMount is a mount with a connection of provider ssh, "prod", and its hosts.
type keyMount struct {
	*harness
	mishap *mishap
	time   *fakeClock
	inner  logical.Storage
	first  string // the private key that the connection began with
	hosts  []*keyhost.Host
}

// newPrivateKey makes a key pair, in the form of private_key and as a signer.
func newPrivateKey(t *testing.T) (string, xssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer
}

func newKeyMount(t *testing.T, hosts int) *keyMount {
	t.Helper()
	private, signer := newPrivateKey(t)
	m := &keyMount{mishap: &mishap{}, time: &fakeClock{now: time.Now()}, inner: new(logical.InmemStorage), first: private}
	m.restart(t)
	m.write(t, "config/prod", map[string]any{"provider": ssh.Name, "login_user": "cloudpw", "private_key": private})
	for i := range hosts {
		h := keyhost.Start(t, fmt.Sprintf("web-%d", i+1), signer)
		h.Quick = true
		m.hosts = append(m.hosts, h)
		m.add(t, h)
	}
	return m
}

// add puts a host into the inventory.
func (m *keyMount) add(t *testing.T, h *keyhost.Host) {
	t.Helper()
	m.write(t, "hosts/"+h.Name, map[string]any{"connection": "prod", "address": h.Address, "port": h.Port, "host_key": h.Entry().HostKey})
}

// restart makes a new process on the same storage.
func (m *keyMount) restart(t *testing.T) {
	t.Helper()
	m.harness = newHarnessWith(t, mishapStorage{m.inner, m.mishap}, newFakeCloud(), cloud.Registry{ssh.Name: ssh.Descriptor()})
	m.clock = m.time.clock()
}

func (m *keyMount) stored(t *testing.T) *connection.Record {
	t.Helper()
	return (&rootMount{inner: m.inner}).storedConnection(t)
}

// checkWayIn checks what must hold at every moment: each living host lets in a key that the stored connection uses.
func (m *keyMount) checkWayIn(t *testing.T, when string) {
	t.Helper()
	own := m.stored(t).Own
	for _, h := range m.hosts {
		in := false
		for _, field := range []string{"private_key", "previous_private_key"} {
			if own[field] == "" {
				continue
			}
			key, err := xssh.ParsePrivateKey([]byte(own[field]))
			if err != nil {
				t.Fatal("the stored key cannot be read")
			}
			in = in || h.LetsIn(key.PublicKey())
		}
		if !in && !h.Dead {
			t.Fatalf("%s: %s lets in no key of the connection: %q", when, h.Name, h.Read(t))
		}
	}
}

// isRolled checks that a rotation is complete: the hosts let in one key, the connection's.
func (m *keyMount) isRolled(t *testing.T, when string) {
	t.Helper()
	c := m.stored(t)
	key, err := xssh.ParsePrivateKey([]byte(c.Own["private_key"]))
	if err != nil || c.Own["private_key"] == m.first || c.RootRotation != nil || c.Own["previous_private_key"] != "" {
		t.Fatalf("%s: the rotation is not complete: %v", when, c.RootRotation)
	}
	for _, h := range m.hosts {
		if lines := strings.Count(h.Read(t), "\n"); lines != 1 || !h.LetsIn(key.PublicKey()) {
			t.Errorf("%s: %s has %q", when, h.Name, h.Read(t))
		}
	}
}

// A rotation of a real provider is struck at every write of storage, by a crash or by one failure.
func TestRotateRootOfHostsAtEveryStep(t *testing.T) {
	for _, crash := range []bool{true, false} {
		for n := 1; ; n++ {
			m := newKeyMount(t, 2)
			m.mishap.arm(n, crash)
			_, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil)
			where := m.mishap.end()
			if where == "" {
				if err != nil {
					t.Fatalf("the rotation failed by itself: %v", err)
				}
				m.isRolled(t, "without a mishap")
				break
			}
			when := fmt.Sprintf("struck at %s (%d, crash %v)", where, n, crash)
			m.checkWayIn(t, when)
			m.restart(t)
			m.checkWayIn(t, when+", after a restart")
			for range 2 {
				m.time.advance(2 * time.Hour)
				if err := m.root.FinishAll(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.checkWayIn(t, when+", after the background's work")
			}
			if m.stored(t).RootRotation != nil {
				t.Fatalf("%s: the background did not finish: %v", when, m.stored(t).RootRotation.LastError)
			}
			if m.stored(t).Own["private_key"] == m.first {
				m.write(t, "rotate-root/prod", nil)
			}
			m.isRolled(t, when)
		}
	}
}

// A session of a rotation is cut after any number of bytes; the mount always has a way in, and ends it once the host is well.
func TestRotateRootOfHostsCutAnywhere(t *testing.T) {
	step := 1777
	if !testing.Short() {
		step = 311
	}
	cuts := 0
	for n := 0; ; n += step {
		m := newKeyMount(t, 1)
		h := m.hosts[0]
		h.Set(func(h *keyhost.Host) { h.Left = n })
		resp, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil)
		for h.IsBusy() {
			time.Sleep(time.Millisecond)
		}
		when := fmt.Sprintf("cut after %d bytes", n)
		m.checkWayIn(t, when)
		if status, _ := statusOf(resp, err); status == http.StatusOK {
			m.isRolled(t, when)
			break
		}
		cuts++
		h.Set(func(h *keyhost.Host) { h.Left = -1 })
		m.restart(t)
		m.write(t, "rotate-root/prod", nil)
		m.isRolled(t, when)
	}
	if cuts < 8 {
		t.Errorf("cut %d times only", cuts)
	}
}

// A dead host keeps the rotation unfinished, and what reading the connection says names it; the ways out are its return and its end.
func TestRotateRootWithADeadHost(t *testing.T) {
	for _, returns := range []bool{true, false} {
		m := newKeyMount(t, 3)
		dead := m.hosts[2]
		dead.Set(func(h *keyhost.Host) { h.Dead = true })
		before := m.read(t, "config/prod")
		// The one host that proves the new key is chosen at random.
		m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable,
			"2 of 3 hosts are done with the previous key", "web-3 (", "vault delete cloudpw/hosts/web-3", "Vault tries again by itself")
		m.checkWayIn(t, "with a dead host")
		read := m.read(t, "config/prod")
		state := read["root_rotation"].(map[string]any)
		if state["step"] != "stored" || !strings.Contains(fmt.Sprint(state["last_error"]), "web-3") ||
			read["credential_id"] == before["credential_id"] || state["old_credential_id"] != before["credential_id"] ||
			read["public_key"] == before["public_key"] || strings.Contains(fmt.Sprint(read), "PRIVATE") {
			t.Errorf("the connection reads %v", read)
		}
		// Neither a second rotation nor another key gets in between.
		m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "2 of 3 hosts")
		other, _ := newPrivateKey(t)
		m.refused(t, logical.UpdateOperation, "config/prod", map[string]any{"private_key": other}, http.StatusConflict,
			"rotate-root/prod is not finished")
		m.refused(t, logical.UpdateOperation, "config/prod", map[string]any{"login_user": "ops", "private_key": other}, http.StatusConflict,
			"rotate-root/prod is not finished")
		m.checkWayIn(t, "after writes that are refused")
		if returns {
			dead.Set(func(h *keyhost.Host) { h.Dead = false })
		} else {
			m.delete(t, "hosts/web-3")
			m.hosts = m.hosts[:2]
		}
		m.time.advance(2 * time.Hour)
		if err := m.root.FinishAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.isRolled(t, fmt.Sprintf("returns: %v", returns))
	}
}

// A key that two connections have is replaced by neither.
func TestRotateRootOfASharedKey(t *testing.T) {
	m := newKeyMount(t, 1)
	m.write(t, "config/other", map[string]any{"provider": ssh.Name, "login_user": "ops", "private_key": m.first})
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusConflict, "other connections use the same credential", "other")
	m.refused(t, logical.UpdateOperation, "config/prod", map[string]any{"rotation_period": "240h"}, http.StatusConflict, "same credential")
	m.delete(t, "config/other")
	m.write(t, "rotate-root/prod", nil)
	m.isRolled(t, "alone")
}

// The key is replaced when its period has passed.
func TestRotationPeriodOfHosts(t *testing.T) {
	m := newKeyMount(t, 2)
	m.write(t, "config/prod", map[string]any{"rotation_period": "240h"})
	m.time.advance(241 * time.Hour)
	if err := m.rootRound(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.isRolled(t, "after its period")
}

// Two nodes that go on with one rotation at once, as a node does that is no longer the active one and does not know it, lock nobody out.
func TestRotateRootOfHostsOnTwoNodes(t *testing.T) {
	m := newKeyMount(t, 3)
	for _, h := range m.hosts[1:] {
		h.Set(func(h *keyhost.Host) { h.Dead = true })
	}
	// Until the host that lives has proved the new key: those to try are chosen at random.
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "1 of 3 hosts")
	for _, h := range m.hosts[1:] {
		h.Set(func(h *keyhost.Host) { h.Dead = false })
	}
	second := &keyMount{mishap: &mishap{}, time: m.time, inner: m.inner, hosts: m.hosts, first: m.first}
	second.restart(t)
	var all sync.WaitGroup
	for _, node := range []*keyMount{m, second} {
		all.Go(func() {
			_, _ = node.HandleRequest(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: "rotate-root/prod",
				Storage: node.storage})
		})
	}
	all.Wait()
	m.checkWayIn(t, "after two nodes at once")
	m.restart(t)
	m.time.advance(2 * time.Hour)
	if err := m.root.FinishAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.isRolled(t, "after two nodes at once")
}
