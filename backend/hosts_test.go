package backend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/host"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// hostCloud is the provider whose instances are the mount's hosts.
const hostCloud = "ssh"

// hostRegistry is that of the in-memory clouds, with the real provider of hosts. Tests that use it send nothing to a host.
func hostRegistry(fake *fakeCloud) cloud.Registry {
	registry := fake.registry()
	registry[hostCloud] = providers()[hostCloud]
	return registry
}

// hostMount is a mount with two connections whose instances are hosts, dc-1 and dc-2, and one to a cloud, prod.
func hostMount(t *testing.T) *harness {
	t.Helper()
	h := hostMountOn(t, new(logical.InmemStorage), newFakeCloud())
	for _, name := range []string{"dc-1", "dc-2"} {
		h.write(t, "config/"+name, map[string]any{"provider": hostCloud, "login_user": "cloudpw", "generate_key": true,
			"verify_connection": false})
	}
	h.connection(t, "prod", resetCloud)
	return h
}

func hostMountOn(t *testing.T, storage logical.Storage, fake *fakeCloud) *harness {
	t.Helper()
	return newHarnessWith(t, storage, fake, hostRegistry(fake))
}

func newHostKey(t testing.TB) string {
	t.Helper()
	return sshserver.Line(sshserver.NewKey(t).PublicKey())
}

// hostAccount lets a role have the user root of a host, with a password that was recorded by hand, unless it is "".
func (h *harness) hostAccount(t *testing.T, connection, name, password string) {
	t.Helper()
	h.write(t, "roles/"+connection+"-"+name, map[string]any{"connection": connection, "instance_ids": name, "source": "import",
		"username": "root"})
	if password != "" {
		h.write(t, "import/"+connection+"/"+name+"/root", map[string]any{"password": password})
	}
}

// forgetHostAccount deletes the role and the account of hostAccount.
func (h *harness) forgetHostAccount(t *testing.T, connection, name string) {
	t.Helper()
	h.delete(t, "roles/"+connection+"-"+name)
	h.ok(t, logical.DeleteOperation, "accounts/"+connection+"/"+name+"/root", map[string]any{"force": true})
}

// TestHostFields writes each field of a host through the mount.
func TestHostFields(t *testing.T) {
	key := newHostKey(t)
	base := map[string]any{"connection": "dc-1", "address": "192.0.2.7"}
	cases := map[string]struct {
		set, reads any // reads is nil where it reads back as set
		unset      any // what an empty write makes of it; nil: that is refused
		refused    []any
	}{
		"connection":         {set: "dc-2", refused: []any{"none", "", map[string]any{"a": "b"}}},
		"address":            {set: "web-1.example.com", refused: []any{"", "root@web", "169.254.169.254", "a b", true}},
		"port":               {set: 2222, unset: 22, refused: []any{0, 65536, "ssh", 22.5}},
		"host_key":           {set: "web-1 " + key + " comment\n", reads: key, refused: []any{"SHA256:abc", "no key", true}},
		"trust_on_first_use": {set: true, unset: false, refused: []any{"perhaps", 7}},
		"platform":           {set: "windows", unset: "linux", refused: []any{"bsd"}},
		"login_user":         {set: "deploy", unset: "", refused: []any{"a b", "a:b", strings.Repeat("x", 65), "one\ntwo"}},
		"sudo":               {set: "tty", unset: "", refused: []any{"always"}},
		"tags": {set: map[string]any{"env": "prod"}, reads: map[string]string{"env": "prod"}, unset: map[string]string{},
			refused: []any{"no pair", map[string]any{"": "x"}, map[string]any{"a": strings.Repeat("x", 257)}}},
	}
	for field := range host.Schemas() {
		if _, ok := cases[field]; !ok && field != "name" {
			t.Errorf("field %s has no case", field)
		}
	}
	h := hostMount(t)
	for field, c := range cases {
		h.write(t, "hosts/h", base)
		for _, value := range c.refused {
			h.refusedWrite(t, "hosts/h", map[string]any{field: value}, field)
			h.refusedWrite(t, "hosts/new", merged(base, map[string]any{field: value}), field)
			resp := h.write(t, "hosts", map[string]any{"hosts": []any{merged(base, map[string]any{"name": "h"})}, "dry_run": true})
			if resp.Data["unchanged"] != 1 {
				t.Errorf("%s: a refused write has changed the host", field)
			}
		}
		reads := func(what string, want any) {
			t.Helper()
			if got := h.read(t, "hosts/h")[field]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s %s reads back as %v, want %v", field, what, got, want)
			}
		}
		want := c.reads
		if want == nil {
			want = c.set
		}
		h.write(t, "hosts/h", map[string]any{field: c.set})
		reads("set", want)
		h.write(t, "hosts/h", map[string]any{"sudo": ""})
		if field != "sudo" {
			reads("after another write", want)
		}
		if c.unset != nil {
			h.write(t, "hosts/h", map[string]any{field: ""})
			reads("unset", c.unset)
		}
		h.delete(t, "hosts/h")
		h.absent(t, "hosts/h")
	}
}

func TestHostsThroughTheMount(t *testing.T) {
	h := hostMount(t)
	key := newHostKey(t)
	resp := h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7", "tags": "env=prod"})
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "vault write cloudpw/hosts/web-1 host_key=@host-key.pub") {
		t.Errorf("a host without a key: %v", resp)
	}
	h.write(t, "hosts/web-1", map[string]any{"host_key": key})
	h.write(t, "hosts/web-2", map[string]any{"connection": "dc-1", "address": "web-2", "trust_on_first_use": true, "tags": "env=prod"})
	h.write(t, "hosts/db-1", map[string]any{"connection": "dc-2", "address": "2001:db8::7", "port": 2222, "host_key": key})
	h.write(t, "hosts/srv-1", map[string]any{"connection": "prod", "host_key": key})
	h.refusedWrite(t, "hosts/i-1", map[string]any{"connection": "prod"}, "name: connection prod", "srv-")
	h.refusedWrite(t, "hosts/x", map[string]any{"connection": "none", "address": "x"}, "connection none does not exist")

	if got := h.list(t, "hosts/"); fmt.Sprint(got) != "[db-1 srv-1 web-1 web-2]" {
		t.Errorf("listed %v", got)
	}
	if got := h.list(t, "hosts/", "after", "db-1", "limit", 2); fmt.Sprint(got) != "[srv-1 web-1]" {
		t.Errorf("a page: %v", got)
	}
	listed := h.ok(t, logical.ListOperation, "hosts/", map[string]any{"connection": "dc-1"})
	if fmt.Sprint(listed.Data["keys"]) != "[web-1 web-2]" {
		t.Errorf("of dc-1: %v", listed.Data["keys"])
	}
	h.refused(t, logical.ListOperation, "hosts/", map[string]any{"connection": "a*"}, http.StatusBadRequest, "connection name")
	info := listed.Data["key_info"].(map[string]any)["web-1"].(map[string]any)
	if info["address"] != "192.0.2.7" || info["fingerprint"] != sshclient.Fingerprint(key) || info["connection"] != "dc-1" ||
		info["key_pinned"] != "written" || info["port"] != 22 || info["platform"] != "linux" {
		t.Errorf("details: %v", info)
	}
	// The connections see their hosts: discover/ lists them, and roles find them by tags.
	if got := h.list(t, "discover/dc-1"); fmt.Sprint(got) != "[web-1 web-2]" {
		t.Errorf("discover/dc-1: %v", got)
	}
	seen := h.ok(t, logical.ListOperation, "discover/dc-2", nil).Data["key_info"].(map[string]any)
	if len(seen) != 1 || seen["db-1"].(map[string]any)["state"] != "running" {
		t.Errorf("discover/dc-2: %v", seen)
	}
	h.write(t, "roles/web", map[string]any{"connection": "dc-1", "instance_tags": "env=prod", "source": "import", "username": "root"})
	if got := h.list(t, "instances/web"); fmt.Sprint(got) != "[web-1 web-2]" {
		t.Errorf("by tags: %v", got)
	}
	h.refusedWrite(t, "roles/db", map[string]any{"connection": "dc-1", "instance_ids": "db-1", "source": "import"}, "db-1")
	h.delete(t, "roles/web")
	for _, name := range []string{"web-1", "web-2"} {
		h.ok(t, logical.DeleteOperation, "accounts/dc-1/"+name+"/root", map[string]any{"force": true})
	}

	h.refused(t, logical.DeleteOperation, "config/dc-1", nil, http.StatusConflict, "serves hosts", "web-1, web-2",
		"vault delete cloudpw/hosts/web-1")
	h.refused(t, logical.DeleteOperation, "config/prod", nil, http.StatusConflict, "srv-1")
	h.delete(t, "hosts/web-1")
	h.delete(t, "hosts/web-2")
	h.delete(t, "config/dc-1")
	h.refusedWrite(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7"}, "connection dc-1 does not exist")
}

// Every provider that a mount makes gets the inventory, as its connection sees it.
func TestProvidersGetTheInventory(t *testing.T) {
	h := hostMount(t)
	key := newHostKey(t)
	h.write(t, "hosts/srv-1", map[string]any{"connection": "prod", "host_key": key})
	h.cloud.launch(cloud.Instance{ID: "srv-1"})
	h.write(t, "config/prod", map[string]any{"secret_key": "another-one"}) // asks the cloud before it is stored
	h.list(t, "discover/prod")
	h.cloud.mu.Lock()
	configs := slices.Clone(h.cloud.configs)
	h.cloud.mu.Unlock()
	for i, config := range configs {
		if config.Hosts == nil {
			t.Fatalf("provider %d of %d got no inventory", i+1, len(configs))
		}
		if got, err := config.Hosts.Host(t.Context(), "srv-1"); err != nil || got == nil || got.HostKey != key || got.Connection != "prod" {
			t.Errorf("provider %d sees %+v, %v", i+1, got, err)
		}
		if all, err := config.Hosts.Hosts(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("provider %d sees %v, %v", i+1, all, err)
		}
	}
	// A login pins the key of a cloud's server, and that of no host that nobody has written.
	if pinned, err := configs[0].Hosts.PinHostKey(t.Context(), "srv-2", key); err != nil || pinned != key {
		t.Errorf("a cloud's server: %q, %v", pinned, err)
	}
	if got := h.read(t, "hosts/srv-2"); got["key_pinned"] != "first use" || got["connection"] != "prod" || got["host_key"] != key {
		t.Errorf("the entry: %v", got)
	}
	d := h.registry[hostCloud]
	if _, err := h.connections.HostsOf("dc-1", d).PinHostKey(t.Context(), "srv-3", key); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a host that nobody has written: %v", err)
	}
}

// Whoever may write hosts/ comes to no password of accounts that exist.
func TestWhatAccountsFixThroughTheMount(t *testing.T) {
	h := hostMount(t)
	key, other := newHostKey(t), newHostKey(t)
	web := map[string]any{"connection": "dc-1", "address": "192.0.2.7", "host_key": key}
	evil := map[string]any{"connection": "dc-1", "address": "198.51.100.1", "host_key": other}
	h.write(t, "hosts/web-1", web)
	h.hostAccount(t, "dc-1", "web-1", "")
	for field, value := range map[string]any{"host_key": other, "login_user": "mallory", "connection": "dc-2"} {
		h.refused(t, logical.UpdateOperation, "hosts/web-1", map[string]any{field: value}, http.StatusConflict, field+": ",
			"vault write cloudpw/host-key/web-1")
	}
	h.write(t, "hosts/web-1", map[string]any{"address": "198.51.100.1"}) // who is there has not the key
	resp := h.ok(t, logical.DeleteOperation, "hosts/web-1", nil)
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "(1)") || !strings.Contains(resp.Warnings[0],
		"vault list cloudpw/accounts/dc-1/web-1") {
		t.Errorf("a delete of a host with an account: %v", resp)
	}
	h.absent(t, "hosts/web-1")
	if pinned := h.read(t, "host-key/web-1"); pinned["host_key"] != key || pinned["deleted_time"] == nil || pinned["connection"] != "dc-1" {
		t.Errorf("what is pinned: %v", pinned)
	}
	if got := h.list(t, "hosts/"); len(got) != 0 {
		t.Errorf("a deleted host is listed: %v", got)
	}
	h.refused(t, logical.UpdateOperation, "hosts/web-1", evil, http.StatusConflict, "another_server=true",
		"vault list cloudpw/accounts/dc-1/web-1")
	h.refused(t, logical.UpdateOperation, "hosts/web-1", merged(evil, map[string]any{"connection": "dc-2"}), http.StatusConflict)
	resp = h.write(t, "hosts", map[string]any{"hosts": []any{merged(evil, map[string]any{"name": "web-1"})}, "dry_run": true})
	if row := resp.Data["hosts"].([]map[string]any)[0]; row["result"] != "refused" || resp.Data["refused"] != 1 ||
		!strings.Contains(fmt.Sprint(row["error"]), "vault write cloudpw/host-key/web-1") {
		t.Errorf("in bulk: %v", resp.Data)
	}
	h.refused(t, logical.UpdateOperation, "hosts", map[string]any{"hosts": []any{merged(evil, map[string]any{"name": "web-1"})}},
		http.StatusBadRequest, "nothing was written")
	h.write(t, "hosts/web-1", web)
	h.write(t, "host-key/web-1", map[string]any{"host_key": other, "login_user": "deploy"})
	if got := h.read(t, "hosts/web-1"); got["host_key"] != other || got["login_user"] != "deploy" || got["address"] != "192.0.2.7" {
		t.Errorf("after host-key/: %v", got)
	}
	h.delete(t, "hosts/web-1")
	h.forgetHostAccount(t, "dc-1", "web-1")
	h.write(t, "hosts/web-1", merged(evil, map[string]any{"connection": "dc-2"}))
}

// A password that was recorded by hand is tried at no server that the writer of hosts/ chooses later.
func TestRecordedPasswordsPinTheServer(t *testing.T) {
	h := hostMount(t)
	key := newHostKey(t)
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7"})
	h.hostAccount(t, "dc-1", "web-1", "")
	h.write(t, "hosts/web-1", map[string]any{"address": "192.0.2.8"})
	h.write(t, "import/dc-1/web-1/root", map[string]any{"password": "Recorded-1-By-Hand"})
	for field, value := range map[string]any{"address": "198.51.100.1", "trust_on_first_use": true, "host_key": key, "port": 2222} {
		h.refused(t, logical.UpdateOperation, "hosts/web-1", map[string]any{field: value}, http.StatusConflict, "have passwords")
	}
	h.write(t, "host-key/web-1", map[string]any{"host_key": key})
	h.write(t, "hosts/web-1", map[string]any{"address": "198.51.100.1"})
}

// A value whose reset has an unknown outcome may be the server's password: it pins the server as a confirmed one does.
func TestAnUnknownOutcomePinsTheServer(t *testing.T) {
	h := hostMount(t)
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7"})
	h.hostAccount(t, "dc-1", "web-1", "")
	key := rotation.AccountPrefix + "dc-1/web-1/root"
	for uncertain, want := range map[bool]bool{false: false, true: true} {
		entry, err := h.storage.Get(t.Context(), key)
		if err != nil || entry == nil {
			t.Fatal("no account is stored", err)
		}
		var a rotation.Account
		if err := json.Unmarshal(entry.Value, &a); err != nil {
			t.Fatal(err)
		}
		pending := fmt.Sprintf(`{"pending":{"password":"Pending-1-Secret","uncertain":%t,"place":%q,"created":%q}}`, uncertain, a.Place,
			time.Now().Format(time.RFC3339))
		if err := json.Unmarshal([]byte(pending), &a); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: raw}); err != nil {
			t.Fatal(err)
		}
		h.invalidate(t.Context(), key)
		if use, err := h.useOfHost(t.Context(), "dc-1", "web-1"); err != nil || use.Passwords != want {
			t.Errorf("uncertain %v: %+v, %v", uncertain, use, err)
		}
	}
}

// Another server under a name is a rebuilt one to its accounts; the same server with a new key is not.
func TestAnotherServerIsARebuiltOne(t *testing.T) {
	h := hostMount(t)
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7", "host_key": newHostKey(t)})
	serial := func() string {
		t.Helper()
		got, err := h.connections.HostsOf("dc-1", h.registry[hostCloud]).Host(t.Context(), "web-1")
		if err != nil || got == nil {
			t.Fatalf("%v, %v", got, err)
		}
		return got.Serial
	}
	first := serial()
	h.write(t, "host-key/web-1", map[string]any{"host_key": newHostKey(t)})
	if serial() != first {
		t.Error("a new key makes it another server")
	}
	h.write(t, "host-key/web-1", map[string]any{"host_key": newHostKey(t), "another_server": true})
	if serial() == first {
		t.Error("another server is the same")
	}
}

func TestHostsSurviveARestartAndReachOtherNodes(t *testing.T) {
	h := hostMount(t)
	key := newHostKey(t)
	for _, name := range []string{"web-1", "web-2"} {
		h.write(t, "hosts/"+name, map[string]any{"connection": "dc-1", "address": "192.0.2.7", "host_key": key})
	}
	other := hostMountOn(t, h.storage, h.cloud)
	if got := other.list(t, "hosts/"); fmt.Sprint(got) != "[web-1 web-2]" {
		t.Errorf("after a restart: %v", got)
	}
	h.write(t, "hosts/web-1", map[string]any{"address": "192.0.2.8"})
	h.delete(t, "hosts/web-2")
	if got := other.read(t, "hosts/web-1")["address"]; got != "192.0.2.7" {
		t.Fatalf("read %v before Vault has said anything; the test shows nothing", got)
	}
	for _, name := range []string{"web-1", "web-2"} {
		other.InvalidateKey(t.Context(), host.Prefix+name)
	}
	if got := other.read(t, "hosts/web-1")["address"]; got != "192.0.2.8" {
		t.Errorf("after the change of another node: %v", got)
	}
	if got := other.list(t, "hosts/"); fmt.Sprint(got) != "[web-1]" {
		t.Errorf("listed after the change of another node: %v", got)
	}
}

// What is kept for accounts goes when they are gone, in the regular work.
func TestTombstonesGoWithTheAccounts(t *testing.T) {
	h := hostMount(t)
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7", "host_key": newHostKey(t)})
	h.hostAccount(t, "dc-1", "web-1", "")
	h.delete(t, "hosts/web-1")
	clean := func(want bool) {
		t.Helper()
		h.hostCleans.mu.Lock()
		h.hostCleans.at = time.Time{}
		h.hostCleans.mu.Unlock()
		if err := h.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.stored(t, host.Prefix) != ""; got != want {
			t.Errorf("stored: %v, want %v", got, want)
		}
	}
	clean(true)
	h.forgetHostAccount(t, "dc-1", "web-1")
	if err := h.round(t.Context()); err != nil || h.stored(t, host.Prefix) == "" {
		t.Errorf("twice in a moment: %v", err)
	}
	clean(false)
}

func TestManyHostsAtOnce(t *testing.T) {
	h := hostMount(t)
	one := map[string]any{"name": "web-1", "connection": "dc-1", "address": "192.0.2.7"}
	text := `[{"name": "web-1", "connection": "dc-1", "address": "192.0.2.7", "port": 22}, {"name": "srv-1", "connection": "prod"}]` + "\n"
	answer := func(hosts any, dry bool) string {
		t.Helper()
		data := h.write(t, "hosts", map[string]any{"hosts": hosts, "dry_run": dry}).Data
		if data["dry_run"] != dry {
			t.Errorf("dry_run is %v", data["dry_run"])
		}
		var rows []string
		for _, row := range data["hosts"].([]map[string]any) {
			rows = append(rows, fmt.Sprint(row["name"], ":", row["result"]))
		}
		return fmt.Sprintf("%s %v/%v/%v/%v", strings.Join(rows, " "), data["created"], data["changed"], data["unchanged"], data["refused"])
	}
	if got := answer(text, true); got != "web-1:created srv-1:created 2/0/0/0" {
		t.Errorf("dry: %s", got)
	}
	h.absent(t, "hosts/web-1")
	if got := answer(text, false); got != "web-1:created srv-1:created 2/0/0/0" {
		t.Errorf("written: %s", got)
	}
	if got := answer(text, false); got != "web-1:unchanged srv-1:unchanged 0/0/2/0" {
		t.Errorf("again: %s", got)
	}
	if got := answer([]any{map[string]any{"name": "web-1", "port": 2222}, map[string]any{"name": "x"}}, true); got !=
		"web-1:changed x:refused 0/1/0/1" {
		t.Errorf("with a refusal, dry: %s", got)
	}
	h.refusedWrite(t, "hosts", map[string]any{"hosts": []any{map[string]any{"name": "web-1", "port": 2222}, map[string]any{"name": "x"}}},
		"nothing was written", "x: connection: required", "vault list cloudpw/config")
	if got := h.read(t, "hosts/web-1")["port"]; got != 22 {
		t.Errorf("a refused list has written port %v", got)
	}
	for _, bad := range []any{"", "[]", nil, []any{}, "web-1", 7, map[string]any{}, []any{one, one},
		[]any{merged(one, map[string]any{"port_number": "1"})}} {
		h.refusedWrite(t, "hosts", map[string]any{"hosts": bad}, "hosts: ")
	}
	h.refusedWrite(t, "hosts", map[string]any{"hosts": []any{one}, "dry_run": "perhaps"}, "dry_run")
	h.refused(t, logical.ReadOperation, "hosts", nil, http.StatusMethodNotAllowed)
	for _, name := range []string{"hosts/" + strings.Repeat("x", 129), "hosts/a..b"} {
		h.refusedWrite(t, name, map[string]any{"connection": "dc-1", "address": "x"}, "host name")
	}
}

// An account goes on at another connection once an administrator has said that the host belongs to that.
func TestAHostMovesToAnotherConnection(t *testing.T) {
	h := hostMount(t)
	key := newHostKey(t)
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc-1", "address": "192.0.2.7", "host_key": key})
	h.hostAccount(t, "dc-1", "web-1", "Recorded-1-By-Hand")
	move := func() (*logical.Response, error) {
		return h.request(t, logical.UpdateOperation, "accounts/dc-1/web-1/root/move", map[string]any{"connection": "dc-2"})
	}
	if resp, err := move(); err == nil {
		t.Errorf("moved to a connection that does not have the host: %v", resp)
	}
	h.write(t, "host-key/web-1", map[string]any{"connection": "dc-2"})
	resp, err := move()
	if err != nil || resp.Data["account"] != "dc-2/web-1/root" {
		t.Fatalf("%v, %v", resp, err)
	}
	if got := h.read(t, "accounts/dc-2/web-1/root"); got["current_version"] != 1 {
		t.Errorf("the account at the other connection: %v", got)
	}
	h.refused(t, logical.UpdateOperation, "hosts/web-1", map[string]any{"connection": "dc-1"}, http.StatusConflict,
		"cannot be changed from dc-2")
	if got := h.list(t, "hosts/", "connection", "dc-1"); len(got) != 0 {
		t.Errorf("the old connection has %v", got)
	}
}
