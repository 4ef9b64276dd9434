package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// A connection sees its own hosts, as they are now.
func TestWhatAConnectionSees(t *testing.T) {
	m, key := newMount(t), newKey(t)
	m.write(t, "web-2", "connection="+dc1, "address="+testAddress)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "port=2222", "host_key="+key, "login_user=deploy", "sudo=tty",
		"tags=env=prod", "platform=linux")
	m.write(t, "db-1", "connection="+dc2, "address="+otherAddress)
	view := m.View(dc1, true)
	names := func() string {
		var names []string
		for _, h := range m.hosts(t, dc1) {
			names = append(names, h.Name)
		}
		return strings.Join(names, " ")
	}
	if got := names(); got != "web-1 web-2" {
		t.Errorf("hosts: %s", got)
	}
	h, err := view.Host(t.Context(), "web-1")
	if err != nil || h == nil || h.Connection != dc1 || h.Address != testAddress || h.Port != 2222 || h.HostKey != key ||
		h.LoginUser != "deploy" || h.Sudo != "tty" || h.Tags["env"] != "prod" || h.Platform != cloud.Linux || h.Serial == "" ||
		h.TrustOnFirstUse {
		t.Errorf("a host: %+v, %v", h, err)
	}
	for _, name := range []string{"db-1", "none", "..", ""} {
		if h, err := view.Host(t.Context(), name); h != nil || err != nil {
			t.Errorf("%q is seen: %v, %v", name, h, err)
		}
	}
	m.write(t, "web-0", "connection="+dc1, "address="+testAddress)
	m.write(t, "db-1", "connection="+dc1)
	m.remove(t, "web-2")
	if got := names(); got != "db-1 web-0 web-1" {
		t.Errorf("after changes: %s", got)
	}
	if all, err := m.Names(t.Context(), ""); err != nil || fmt.Sprint(all) != "[db-1 web-0 web-1]" {
		t.Errorf("all: %v, %v", all, err)
	}
	if some, err := m.Names(t.Context(), dc2); err != nil || len(some) != 0 {
		t.Errorf("of %s: %v, %v", dc2, some, err)
	}
	m.write(t, "db-1", "connection="+dc2)
	if got := names(); got != "web-0 web-1" {
		t.Errorf("after a host has moved: %s", got)
	}
}

func TestTrustOnFirstUse(t *testing.T) {
	m, key, other := newMount(t), newKey(t), newKey(t)
	view, elsewhere := m.View(dc1, true), m.View(dc2, true)
	pin := func(v *View, name, key string) string {
		t.Helper()
		pinned, err := v.PinHostKey(t.Context(), name, key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return pinned
	}
	refused := func(v *View, name, key string, kind cloud.Kind, says ...string) {
		t.Helper()
		pinned, err := v.PinHostKey(t.Context(), name, key)
		if err == nil || pinned != "" || cloud.KindOf(err) != kind {
			t.Fatalf("%s: %q, %v; want an error of kind %s", name, pinned, err, kind)
		}
		for _, text := range says {
			if said := cloud.AsError(err).Text().At("cloudpw/"); !strings.Contains(said, text) {
				t.Errorf("%s: %q does not say %q", name, said, text)
			}
		}
	}
	refused(view, "web-1", key, cloud.NotFound)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress)
	refused(view, "web-1", key, cloud.Refused, "trust_on_first_use is false", "vault write cloudpw/hosts/web-1")
	m.write(t, "web-1", "trust_on_first_use=true")
	refused(elsewhere, "web-1", key, cloud.Refused, "pinned for connection dc-1")
	refused(view, "web-1", "ssh-ed25519 AAAA", cloud.Refused, "cannot be pinned")
	if pinned := pin(view, "web-1", "web-1 "+key+" comment"); pinned != key {
		t.Errorf("pinned %q", pinned)
	}
	if r := m.get(t, "web-1"); r.HostKey != key || r.KeyPinned != PinnedByFirstUse || !r.KeyTime.Equal(m.now) {
		t.Errorf("the entry: %+v", r)
	}
	puts := 0
	m.storage.onPut = func(string) { puts++ }
	if pinned := pin(view, "web-1", other); pinned != key || puts != 0 {
		t.Errorf("another key was pinned, or %d writes made", puts)
	}
	m.storage.onPut = nil
	m.refused(t, "web-1", conflict, []string{"host-key/web-1"}, "host_key="+other)

	// A tombstone's key is not trusted away.
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.remove(t, "web-1")
	refused(view, "web-1", other, cloud.NotFound)
	refused(m.View(aws1, false), "web-1", other, cloud.Refused, "pinned for connection dc-1")
}

// An entry of a cloud's server is made by the first login; it follows the server's accounts to another connection with its key only.
func TestTrustOnFirstUseOfACloud(t *testing.T) {
	m, key, other := newMount(t), newKey(t), newKey(t)
	one, two := m.View(aws1, false), m.View(aws2, false)
	m.has(aws1, instance, Use{Accounts: 1, Passwords: true})
	if pinned, err := one.PinHostKey(t.Context(), instance, key); err != nil || pinned != key {
		t.Fatalf("%q, %v", pinned, err)
	}
	if h, err := one.Host(t.Context(), instance); err != nil || h == nil || h.HostKey != key || !h.TrustOnFirstUse || h.Address != "" {
		t.Errorf("the entry: %+v, %v", h, err)
	}
	if _, err := two.PinHostKey(t.Context(), instance, key); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("while %s has accounts: %v", aws1, err)
	}
	m.has(aws1, instance, Use{})
	if _, err := two.PinHostKey(t.Context(), instance, other); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("another key: %v", err)
	}
	if _, err := m.View(dc1, true).PinHostKey(t.Context(), instance, key); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("a connection of another kind: %v", err)
	}
	if pinned, err := two.PinHostKey(t.Context(), instance, key); err != nil || pinned != key || m.get(t, instance).Connection != aws2 {
		t.Errorf("the same key: %v, %v", err, m.get(t, instance))
	}
	m.has(aws2, instance, Use{Accounts: 1})
	m.remove(t, instance)
	if _, err := two.PinHostKey(t.Context(), instance, other); cloud.KindOf(err) != cloud.Refused ||
		!strings.Contains(err.Error(), sshclient.Fingerprint(key)) || !strings.Contains(err.Error(), sshclient.Fingerprint(other)) {
		t.Errorf("another key after a delete: %v", err)
	}
	m.write(t, "i-9", "connection="+dc1, "address="+testAddress, "host_key="+key)
	if _, err := two.PinHostKey(t.Context(), "i-9", key); cloud.KindOf(err) != cloud.Refused || m.get(t, "i-9").Connection != dc1 {
		t.Errorf("a host that is no cloud's: %v", err)
	}
	serial := m.get(t, instance).Serial
	if pinned, err := two.PinHostKey(t.Context(), instance, key); err != nil || pinned != key || m.get(t, instance).Serial != serial ||
		!m.get(t, instance).living() {
		t.Errorf("the same key after a delete: %v, %+v", err, m.get(t, instance))
	}
	m.remove(t, instance)
	m.has(aws2, instance, Use{})
	if pinned, err := two.PinHostKey(t.Context(), instance, other); err != nil || pinned != other {
		t.Errorf("without accounts: %q, %v", pinned, err)
	}
}

// Of logins at the same moment one pins its key, and all are told which.
func TestConcurrentPins(t *testing.T) {
	m := newMount(t)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "trust_on_first_use=true")
	const logins = 16
	keys, pinned := make([]string, logins), make([]string, logins)
	for i := range keys {
		keys[i] = newKey(t)
	}
	var group sync.WaitGroup
	for i := range logins {
		group.Go(func() {
			var err error
			if pinned[i], err = m.View(dc1, true).PinHostKey(t.Context(), "web-1", keys[i]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stored := m.get(t, "web-1").HostKey
	if !slices.Contains(keys, stored) {
		t.Fatalf("stored is %q", stored)
	}
	for i, key := range pinned {
		if key != stored {
			t.Errorf("login %d was told another key", i)
		}
	}
}

// A login that comes while another one pins waits for it.
func TestAPinHoldsOthersUp(t *testing.T) {
	m, first, second := newMount(t), newKey(t), newKey(t)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "trust_on_first_use=true")
	view, told := m.View(dc1, true), make(chan string, 1)
	var begun atomic.Bool
	m.storage.onPut = func(string) {
		if !begun.CompareAndSwap(false, true) {
			return
		}
		go func() {
			pinned, _ := view.PinHostKey(t.Context(), "web-1", second)
			told <- pinned
		}()
		time.Sleep(50 * time.Millisecond) // for the other one, if it does not wait
	}
	if pinned, err := view.PinHostKey(t.Context(), "web-1", first); err != nil || pinned != first {
		t.Errorf("the first login: %v, %v", pinned == second, err)
	}
	if pinned := <-told; pinned != first || m.get(t, "web-1").HostKey != first {
		t.Errorf("the second login was told its own key: %v", pinned == second)
	}
}

// While a login pins, a write gives another key: one of them is refused, or told.
func TestPinAndWriteAtOnce(t *testing.T) {
	for range 50 {
		m, shown, written := newMount(t), newKey(t), newKey(t)
		m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "trust_on_first_use=true")
		var group sync.WaitGroup
		var pinned string
		var refused error
		in := fields(t, "host_key="+written)
		group.Go(func() { pinned, _ = m.View(dc1, true).PinHostKey(t.Context(), "web-1", shown) })
		group.Go(func() { _, refused = m.Write(t.Context(), "web-1", in) })
		group.Wait()
		stored := m.get(t, "web-1").HostKey
		if pinned != stored || (refused == nil) != (stored == written) {
			t.Fatalf("shown %v, written %v; told %v, refused %v", stored == shown, stored == written, pinned == stored, refused)
		}
	}
}

func TestRestart(t *testing.T) {
	m, key := newMount(t), newKey(t)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "host_key="+key)
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.write(t, "web-2", "connection="+dc1, "address="+otherAddress, "host_key="+key)
	m.remove(t, "web-1")
	again := newMountOn(m.storage)
	again.has(dc1, "web-1", Use{Accounts: 1})
	if hosts := again.hosts(t, dc1); len(hosts) != 1 || hosts[0].Name != "web-2" || hosts[0].HostKey != key {
		t.Errorf("after a restart: %+v", hosts)
	}
	again.refused(t, "web-1", conflict, []string{"host-key/web-1"}, "connection="+dc1, "address="+testAddress, "host_key="+newKey(t))
	if got := again.write(t, "web-2", "address="+otherAddress); got.Result != Unchanged {
		t.Errorf("the same write after a restart: %s", got.Result)
	}
}

// Storage is read once, and after another node's writes for what they changed.
func TestTheIndexReadsStorageOnce(t *testing.T) {
	active := newMount(t)
	for i := range 50 {
		active.write(t, fmt.Sprintf("web-%02d", i), "connection="+dc1, "address="+testAddress)
	}
	standby := newMountOn(active.storage)
	active.storage.reads()
	if h, err := standby.View(dc1, true).Host(t.Context(), "web-07"); err != nil || h == nil || active.storage.reads() != 1 {
		t.Errorf("a host of an inventory that nobody has listed: %v, %v", h, err)
	}
	other := newMountOn(active.storage)
	other.write(t, "gone", "connection="+dc1, "address="+testAddress)
	if standby.get(t, "gone") == nil {
		t.Fatal("a host of another node is not seen")
	}
	other.remove(t, "gone") // and nobody has told the standby before it reads all
	active.storage.reads()
	for range 3 {
		if got := len(standby.hosts(t, dc1)); got != 50 {
			t.Fatalf("%d hosts", got)
		}
	}
	if n := active.storage.reads(); n != 50 || active.storage.lists != 1 {
		t.Errorf("%d reads of entries and %d listings", n, active.storage.lists)
	}
	active.write(t, "web-07", "address="+otherAddress)
	active.write(t, "web-50", "connection="+dc1, "address="+otherAddress)
	active.remove(t, "web-08")
	active.storage.reads()
	if got := len(standby.hosts(t, dc1)); got != 50 || active.storage.reads() != 0 {
		t.Errorf("%d hosts before Vault has said anything", got)
	}
	for _, name := range []string{"web-07", "web-50", "web-08"} {
		if !standby.Invalidate(Prefix + name) {
			t.Errorf("%s is no key of a host", Prefix+name)
		}
	}
	if standby.Invalidate("role/web-07") {
		t.Error("a role's key is one of a host")
	}
	if h, err := standby.View(dc1, true).Host(t.Context(), "web-07"); err != nil || h.Address != otherAddress {
		t.Errorf("a host that another node has changed: %+v, %v", h, err)
	}
	var names []string
	for _, h := range standby.hosts(t, dc1) {
		names = append(names, h.Name)
	}
	if len(names) != 50 || slices.Contains(names, "web-08") || !slices.Contains(names, "web-50") {
		t.Errorf("after another node's writes: %v", names)
	}
	if n := active.storage.reads(); n != 3 {
		t.Errorf("%d reads of storage for three changes", n)
	}
}

// What storage held before a change that overtakes the read does not come back, whichever read it is.
func TestReadsThatAreOvertaken(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, m *mount){
		"by a write":        func(t *testing.T, m *mount) { t.Helper(); m.write(t, "web-1", "address="+otherAddress) },
		"by another node's": func(t *testing.T, m *mount) { t.Helper(); elsewhere(t, m, otherAddress) },
		"by a delete":       func(t *testing.T, m *mount) { t.Helper(); m.remove(t, "web-1") },
		"by a failed write that landed": func(t *testing.T, m *mount) {
			t.Helper()
			r := m.get(t, "web-1").clone()
			r.Address = otherAddress
			elsewhereRecord(t, m.storage, r)
			m.storage.fail(map[string]error{Prefix + "web-1": errors.New("lost")})
			if err := m.index.put(t.Context(), "web-1", r); err == nil {
				t.Fatal("the write did not fail")
			}
			m.storage.fail(nil)
		},
	} {
		for read, by := range map[string]func(m *mount){
			"one": func(m *mount) { _, _ = m.Get(t.Context(), "web-1") },
			"all": func(m *mount) { _ = m.index.load(t.Context()) },
		} {
			m := newMount(t)
			m.write(t, "web-1", "connection="+dc1, "address="+testAddress)
			m.write(t, "web-2", "connection="+dc1, "address="+testAddress)
			m = newMountOn(m.storage)
			_ = m.get(t, "web-1")
			m.index.forget("web-1")
			var overtaken atomic.Bool
			m.storage.onGet = func(key string) {
				if key == Prefix+"web-1" && overtaken.CompareAndSwap(false, true) {
					change(t, m)
				}
			}
			by(m)
			m.storage.onGet = nil
			fresh := newMountOn(m.storage)
			want, got := fresh.get(t, "web-1"), m.get(t, "web-1")
			if (want == nil) != (got == nil) || want != nil && want.Address != got.Address {
				t.Errorf("a read of %s that is overtaken %s: %+v, want %+v", read, what, got, want)
			}
			if a, b := fmt.Sprint(m.hosts(t, dc1)), fmt.Sprint(fresh.hosts(t, dc1)); a != b {
				t.Errorf("a read of %s that is overtaken %s: all are\n%s, want\n%s", read, what, a, b)
			}
		}
	}
}

// elsewhere changes an address as another node does.
func elsewhere(t *testing.T, m *mount, address string) {
	t.Helper()
	other := newMountOn(&counted{InmemStorage: logical.InmemStorage{}})
	other.index.storage = m.storage
	other.write(t, "web-1", "address="+address)
	m.Invalidate(Prefix + "web-1")
}

func elsewhereRecord(t *testing.T, storage *counted, r *Record) {
	t.Helper()
	other := newMountOn(storage)
	if err := other.index.put(t.Context(), "web-1", r); err != nil {
		t.Fatal(err)
	}
}

// A failed read makes no host vanish, and what cannot be decoded stops lists that would lack it.
func TestBrokenStorage(t *testing.T) {
	m := newMount(t)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress)
	m.write(t, "web-2", "connection="+dc1, "address="+testAddress)
	again := newMountOn(m.storage)
	m.storage.fail(map[string]error{Prefix + "web-2": errors.New("out of order")})
	if hosts, err := again.View(dc1, true).Hosts(t.Context()); err == nil {
		t.Errorf("a list without a host that could not be read: %v", hosts)
	}
	if h, err := again.View(dc1, true).Host(t.Context(), "web-2"); err == nil {
		t.Errorf("a host that could not be read: %v", h)
	}
	m.storage.fail(nil)
	if got := len(again.hosts(t, dc1)); got != 2 {
		t.Errorf("%d hosts after the failure", got)
	}
	newer := &logical.StorageEntry{Key: Prefix + "web-3", Value: []byte(`{"schema":2,"connection":["dc-1"]}`)}
	if err := m.storage.Put(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	again.Invalidate(Prefix + "web-3")
	if hosts, err := again.View(dc1, true).Hosts(t.Context()); err == nil || !strings.Contains(err.Error(), Prefix+"web-3") {
		t.Errorf("a list that may lack a host: %v, %v", hosts, err)
	}
	for _, mount := range []*mount{again, newMountOn(m.storage)} {
		if _, err := mount.Get(t.Context(), "web-3"); err == nil || !strings.Contains(err.Error(), "schema 2") {
			t.Errorf("an entry of a newer version: %v", err)
		}
		if h, err := mount.View(dc1, true).Host(t.Context(), "web-1"); err != nil || h == nil {
			t.Errorf("another host: %v, %v", h, err)
		}
		if names, err := mount.Names(t.Context(), ""); err != nil || fmt.Sprint(names) != "[web-1 web-2 web-3]" {
			t.Errorf("names: %v, %v", names, err)
		}
	}
	if err := m.storage.Delete(t.Context(), Prefix+"web-3"); err != nil {
		t.Fatal(err)
	}
	again.Invalidate(Prefix + "web-3")
	if got := len(again.hosts(t, dc1)); got != 2 {
		t.Errorf("%d hosts after it was deleted", got)
	}
}

// Waiting for the first list ends with the request.
func TestWaitingForTheListEndsWithTheRequest(t *testing.T) {
	m := newMount(t)
	m.index.loading <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := m.View(dc1, true).Hosts(ctx); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("%v", err)
	}
}

func TestClean(t *testing.T) {
	m, key := newMount(t), newKey(t)
	for _, name := range []string{"kept", "dropped"} {
		m.write(t, name, "connection="+dc1, "address="+testAddress, "host_key="+key)
		m.has(dc1, name, Use{Accounts: 1})
		m.remove(t, name)
	}
	m.write(t, "living", "connection="+dc1, "address="+testAddress, "host_key="+key)
	for _, name := range []string{"i-kept", "i-dropped", "i-written"} {
		if _, err := m.View(aws1, false).PinHostKey(t.Context(), name, key); err != nil {
			t.Fatal(err)
		}
	}
	m.write(t, "i-written", "port=2222")
	m.has(dc1, "dropped", Use{})
	m.has(aws1, "i-kept", Use{Accounts: 1})
	again := newMountOn(m.storage)
	again.uses = m.uses
	for _, c := range []struct {
		after   time.Duration
		deleted int
		left    string
	}{
		{0, 1, "i-dropped i-kept i-written kept living"}, {cleanAfter - time.Second, 0, "i-dropped i-kept i-written kept living"},
		{time.Second, 1, "i-kept i-written kept living"}, {10 * cleanAfter, 0, "i-kept i-written kept living"},
	} {
		again.later(c.after)
		deleted, err := again.Clean(t.Context())
		keys, err2 := again.storage.List(t.Context(), Prefix)
		if got := strings.Join(keys, " "); err != nil || err2 != nil || deleted != c.deleted || got != c.left {
			t.Errorf("after %s: %d deleted, left %s, %v, %v", c.after, deleted, got, err, err2)
		}
	}
}
