package ssh

import (
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/keyhost"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// keyed is a connection whose key is replaced, and its hosts.
type keyed struct {
	before, now ssh.Signer
	values      cloud.Values
	hosts       []*keyhost.Host
	inventory   *inventory
}

// newKeyed makes hosts that let the connection's key in.
func newKeyed(t *testing.T, names ...string) (*keyed, *provider) {
	t.Helper()
	private, before := sshserver.NewPair(t)
	k := &keyed{before: before, inventory: inventoryOf()}
	for _, name := range names {
		h := keyhost.Start(t, name, before)
		k.hosts = append(k.hosts, h)
		k.inventory.hosts[name] = h.Entry()
	}
	k.values = cloud.Values{"private_key": private}
	return k, connection(t, private, k.inventory, nil)
}

// create makes the new key and the provider that has it.
func (k *keyed) create(t *testing.T, p *provider, more cloud.Values) *provider {
	t.Helper()
	made, err := p.CreateCredential(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k.now, err = parseKey(made["private_key"]); err != nil {
		t.Fatal(err)
	}
	k.values = k.values.With(made)
	return connection(t, k.values["private_key"], k.inventory, k.values.With(more))
}

func TestKeyPairIsReplaced(t *testing.T) {
	k, old := newKeyed(t, "web-1", "web-2", "web-3", "web-4", "web-5")
	oldID := ssh.FingerprintSHA256(k.before.PublicKey())
	own, err := old.OwnCredentials(t.Context())
	if err != nil || len(own) != 1 || own[0] != (cloud.OwnCredential{ID: oldID, InUse: true}) || old.CheckRotation() != nil {
		t.Fatalf("%v, %v", own, err)
	}
	next := k.create(t, old, nil)
	newID := ssh.FingerprintSHA256(k.now.PublicKey())
	if got := Descriptor().CredentialID(k.values); got != newID || newID == oldID {
		t.Fatalf("the new key is called %s", got)
	}
	if own, err = next.OwnCredentials(t.Context()); err != nil || len(own) != 2 || own[0].ID != newID || own[1].ID != oldID || own[1].InUse {
		t.Fatalf("%v, %v", own, err)
	}
	// What a connection that is not stored yet does takes no way in away.
	for range 4 {
		if err := next.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, h := range k.hosts {
		if !h.LetsIn(k.before.PublicKey()) {
			t.Fatalf("%s has lost the old key before the new one was in use", h.Name)
		}
		if h.LetsIn(k.now.PublicKey()) {
			told++
		}
	}
	if told == 0 {
		t.Error("the new key was not tried anywhere")
	}
	if _, err := next.CreateCredential(t.Context()); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("a third key was made: %v", err)
	}
	if err := next.DeleteCredential(t.Context(), newID); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("the key in use was deleted: %v", err)
	}
	if err := next.DeleteCredential(t.Context(), "SHA256:other"); err != nil {
		t.Errorf("a key that nobody knows: %v", err)
	}
	// A dead host, then one that is taken out of the inventory.
	dead := k.hosts[4]
	dead.Set(func(h *keyhost.Host) { h.Dead = true })
	err = next.DeleteCredential(t.Context(), oldID)
	if cloud.KindOf(err) != cloud.NotReady || !strings.Contains(err.Error(), "4 of 5 hosts are done") ||
		!strings.Contains(err.Error(), "web-5 (") {
		t.Fatalf("%v", err)
	}
	for _, h := range k.hosts[:4] {
		isRolled(t, h, k.before, k.now)
	}
	delete(k.inventory.hosts, "web-5")
	if err := next.DeleteCredential(t.Context(), oldID); err != nil {
		t.Error(err)
	}
	// In the end the new key alone serves.
	last := connection(t, k.values["private_key"], k.inventory, nil)
	if err := last.Verify(t.Context()); err != nil || len(last.keys) != 1 {
		t.Errorf("%v", err)
	}
}

// The jump host is rolled as well: before any host behind it.
func TestKeyPairBehindAJumpHost(t *testing.T) {
	k, old := newKeyed(t, "web-1", "web-2")
	jump := keyhost.Start(t, "jump", k.before)
	way := cloud.Values{"proxy_jump": jump.Entry().Address + ":" + strconv.Itoa(jump.Port), "proxy_jump_host_key": jump.Entry().HostKey}
	next := k.create(t, old, way)
	jump.Set(func(h *keyhost.Host) { h.NoShell = true })
	err := next.Verify(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the jump host 127.0.0.1: ") || k.hosts[0].Logins()+k.hosts[1].Logins() != 0 {
		t.Fatalf("a jump host that cannot be changed: %v", err)
	}
	jump.Set(func(h *keyhost.Host) { h.NoShell = false })
	if err := next.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !jump.LetsIn(k.before.PublicKey()) || !jump.LetsIn(k.now.PublicKey()) {
		t.Errorf("the jump host has %q", jump.Read(t))
	}
	if err := next.DeleteCredential(t.Context(), ssh.FingerprintSHA256(k.before.PublicKey())); err != nil {
		t.Fatal(err)
	}
	for _, h := range append(k.hosts, jump) {
		isRolled(t, h, k.before, k.now)
	}
	last := connection(t, k.values["private_key"], k.inventory, way)
	if err := last.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A reset that the old key has opened brings the new one along, and is as good if that fails.
func TestResetsRollTheirHost(t *testing.T) {
	k, old := newKeyed(t, "web-1")
	next := k.create(t, old, nil)
	k.hosts[0].Set(func(h *keyhost.Host) { h.Ignores = k.now.PublicKey() })
	if started, err := start(t, next, reset("Correct-Horse-7", 0)); err != nil || !started.Done || !k.hosts[0].LetsIn(k.before.PublicKey()) {
		t.Fatalf("%+v, %v", started, err)
	}
	k.hosts[0].Set(func(h *keyhost.Host) { h.Ignores = nil })
	if started, err := start(t, next, reset("Correct-Horse-8", 1)); err != nil || !started.Done {
		t.Fatalf("%+v, %v", started, err)
	}
	isRolled(t, k.hosts[0], k.before, k.now)
	logins := k.hosts[0].Logins()
	if err := next.DeleteCredential(t.Context(), ssh.FingerprintSHA256(k.before.PublicKey())); err != nil || k.hosts[0].Logins() != logins {
		t.Errorf("%v; a host that is rolled was logged in to", err)
	}
}

// Another server under the name, or another address or user, is another place of the key.
func TestSpotsAreTheInventorys(t *testing.T) {
	k, p := newKeyed(t, "web-1")
	host := k.hosts[0].Entry()
	was := p.spot(host).serial
	for name, change := range map[string]func(*cloud.Host){
		"serial": func(h *cloud.Host) { h.Serial = "x" }, "address": func(h *cloud.Host) { h.Address = "127.0.0.2" },
		"port": func(h *cloud.Host) { h.Port++ }, "user": func(h *cloud.Host) { h.LoginUser = "ops" },
	} {
		other := host
		change(&other)
		if p.spot(other).serial == was {
			t.Errorf("another %s is the same place", name)
		}
	}
}

// What the connection keeps of a key has the form of a key.
func TestPreviousKeyIsChecked(t *testing.T) {
	private, _ := sshserver.NewPair(t)
	values := cloud.Values{"login_user": "cloudpw", "private_key": private, "previous_private_key": "none"}
	_, err := newProvider(cloud.Config{Provider: Name, Values: values})
	if err == nil || !strings.Contains(err.Error(), "previous_private_key") {
		t.Errorf("%v", err)
	}
}
