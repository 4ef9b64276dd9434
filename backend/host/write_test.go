package host

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

func TestFieldsOfAHost(t *testing.T) {
	key := newKey(t)
	base := []string{"connection=" + dc1, "address=" + testAddress}
	for field, c := range map[string]struct {
		stored  map[string]any    // by value: what it is stored as; nil: not looked at
		refused map[string]string // by value: what the refusal says
	}{
		"connection": {refused: map[string]string{"": "connection: required", "none": "does not exist"}},
		"address": {
			stored: map[string]any{"192.0.2.8": "192.0.2.8", "2001:db8::7": "2001:db8::7", "web-1.example.com": "web-1.example.com",
				"web_1": "web_1", " web ": "web", "127.0.0.1": "127.0.0.1", "web.": "web.", strings.Repeat("a", 63) + ".b": nil},
			refused: map[string]string{"": "address: required", "root@web": "address", "web:22": "address", "[2001:db8::7]": "address",
				"fe80::1%eth0": "zone", "169.254.169.254": "link-local", "fe80::1": "link-local", "100.100.100.200": "metadata",
				"0.0.0.0": "0.0.0.0", "::": "0.0.0.0", "0xa9.254.169.254": "link-local", "1.2.3": "usual form", "web 1": "address",
				"-web": "address", "web-": "address", "a..b": "address", strings.Repeat("a", 64): "address",
				strings.Repeat("a.", 127) + "a": "address", "::ffff:169.254.169.254": "link-local", "wéb": "address"},
		},
		"port": {
			stored:  map[string]any{"2222": 2222, "1": 1, "65535": 65535, "22": 22, "": 22},
			refused: map[string]string{"0": "1 to 65535", "65536": "1 to 65535", "-1": "1 to 65535"},
		},
		"host_key": {
			stored: map[string]any{key: key, key + " root@web": key, "web " + key: key, " " + key + "\n": key},
			refused: map[string]string{"ssh-ed25519 AAAA": "host_key", "SHA256:abc": "fingerprint", key + "\n" + key: "more than one line",
				"-----BEGIN OPENSSH PRIVATE KEY-----": "private key"},
		},
		"trust_on_first_use": {stored: map[string]any{"true": true, "false": false, "": false}},
		"platform": {stored: map[string]any{"linux": cloud.Linux, "windows": cloud.Windows, "": cloud.Linux},
			refused: map[string]string{"bsd": "use linux or windows"}},
		"login_user": {stored: map[string]any{"deploy": "deploy", "": "", "Administrator": "Administrator", `CORP\svc`: `CORP\svc`},
			refused: map[string]string{"a b": "login_user", "-x": "login_user", "a@b": "login_user", "%wheel": "login_user", "a,b": "login_user",
				"a:b":                   "login_user",
				strings.Repeat("x", 65): "longer than 64"}},
		"sudo": {stored: map[string]any{"auto": "auto", "never": "never", "tty": "tty", "": ""}, refused: map[string]string{"always": "sudo"}},
		"tags": {refused: map[string]string{strings.Repeat("k", 129) + "=v": "at most 128"}},
	} {
		for value, want := range c.stored {
			m := newMount(t)
			r := m.write(t, "web-1", append(base, field+"="+value)...).Record
			if got := fieldOfRecord(r, field); want != nil && got != want {
				t.Errorf("%s=%q is stored as %v, want %v", field, value, got, want)
			}
		}
		for value, says := range c.refused {
			m := newMount(t)
			m.refused(t, "web-1", invalid, []string{says, field}, append(base, field+"="+value)...)
			if field != "connection" { // also on an entry that exists
				m.write(t, "web-1", base...)
				m.refused(t, "web-1", invalid, []string{says}, field+"="+value)
			}
		}
	}
	m := newMount(t)
	for _, name := range []string{"..", "a/b", "-a", strings.Repeat("a", 129), ""} {
		if _, err := m.Write(t.Context(), name, fields(t, base...)); err == nil || !strings.Contains(err.Error(), "host name") {
			t.Errorf("name %q: %v", name, err)
		}
	}
	m.refused(t, "win", invalid, []string{"sudo: Windows has none"}, append(base, "platform=windows", "sudo=auto")...)
}

func fieldOfRecord(r *Record, field string) any {
	switch field {
	case "address":
		return r.Address
	case "port":
		return r.portInForce()
	case "host_key":
		return r.HostKey
	case "trust_on_first_use":
		return r.TrustOnFirstUse
	case "platform":
		return r.Platform
	case "login_user":
		return r.LoginUser
	case "sudo":
		return r.Sudo
	}
	return nil
}

// A write changes what it names, and says whether it did.
func TestAWriteChangesWhatItNames(t *testing.T) {
	m, key := newMount(t), newKey(t)
	first := m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "port=2222", "host_key="+key, "login_user=deploy", "sudo=tty",
		"tags=env=prod")
	if first.Result != Created || first.Record.Serial == "" || !first.Record.Created.Equal(m.now) || len(first.Warnings) != 0 {
		t.Errorf("a new host: %+v", first)
	}
	m.later(time.Hour)
	for _, c := range []struct {
		pairs  []string
		result string
	}{
		{nil, Unchanged}, {[]string{"host_key=web-1 " + key + " comment"}, Unchanged},
		{[]string{"address=" + testAddress, "port=2222"}, Unchanged},
		{[]string{"address=" + otherAddress}, Changed}, {[]string{"tags=env=prod"}, Unchanged}, {[]string{"tags="}, Changed},
		{[]string{"tags="}, Unchanged}, {[]string{"port="}, Changed}, {[]string{"port=22"}, Unchanged}, {[]string{"sudo="}, Changed},
	} {
		if got := m.write(t, "web-1", c.pairs...); got.Result != c.result {
			t.Errorf("%q: %s, want %s", c.pairs, got.Result, c.result)
		}
	}
	m.storage.onPut = func(key string) { t.Errorf("a write that changes nothing writes %s", key) }
	m.write(t, "web-1", "address="+otherAddress)
	m.storage.onPut = nil
	r := m.get(t, "web-1")
	if r.Address != otherAddress || r.portInForce() != 22 || r.LoginUser != "deploy" || r.HostKey != key || r.KeyPinned != PinnedByWrite ||
		r.Serial != first.Record.Serial || !r.Created.Equal(first.Record.Created) || !r.KeyTime.Equal(first.Record.Created) {
		t.Errorf("after the writes: %+v", r)
	}
	if other := m.write(t, "web-2", "connection="+dc1, "address=web-2"); other.Record.Serial == r.Serial {
		t.Error("two servers have one serial")
	} else if len(other.Warnings) != 1 || !strings.Contains(other.Warnings[0].String(), "no pinned key") {
		t.Errorf("a host that nobody logs in to: %v", other.Warnings)
	}
	if got := m.write(t, "web-2", "trust_on_first_use=true"); len(got.Warnings) != 0 {
		t.Errorf("a host that is trusted: %v", got.Warnings)
	}
}

// On the connection of a cloud a host has what the cloud does not tell.
func TestHostsOfClouds(t *testing.T) {
	m, key := newMount(t), newKey(t)
	for _, field := range []string{"address=" + testAddress, "platform=linux", "login_user=root", "sudo=auto", "tags=a=b"} {
		name, _, _ := strings.Cut(field, "=")
		m.refused(t, instance, invalid, []string{name + ": the cloud of connection " + aws1}, "connection="+aws1, field)
	}
	m.refused(t, "web-1", invalid, []string{"name: connection " + aws1, "begins with i-"}, "connection="+aws1)
	m.has(aws1, instance, Use{Accounts: 1, Passwords: true})
	m.write(t, instance, "connection="+aws1, "port=2222", "address=")
	got := m.write(t, instance, "host_key="+key)
	if r := got.Record; r.Platform != "" || r.Address != "" || r.HostKey != key || got.Result != Changed {
		t.Errorf("%s: %+v", got.Result, r)
	}
	m.refused(t, instance, conflict, []string{"host-key/" + instance}, "host_key="+newKey(t))
}

// A pinned key is changed by host-key/ only, whoever has accounts.
func TestAPinnedKeyIsNotReplacedByAWrite(t *testing.T) {
	for _, use := range []Use{{}, {Accounts: 1}, {Accounts: 2, Passwords: true}} {
		m, key, other := newMount(t), newKey(t), newKey(t)
		m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "host_key="+key)
		m.has(dc1, "web-1", use)
		prints := []string{sshclient.Fingerprint(key), sshclient.Fingerprint(other)}
		m.refused(t, "web-1", conflict, append(prints, "write host-key/web-1", "delete hosts/web-1", "another_server=true"), "host_key="+other)
		m.refused(t, "web-1", conflict, append(prints, "host-key/web-1"), "host_key="+other, "trust_on_first_use=true")
		m.refused(t, "web-1", conflict, []string{"cannot be dropped", prints[0]}, "host_key=")
		m.write(t, "web-1", "trust_on_first_use=true")
		if pinned, err := m.View(dc1, true).PinHostKey(t.Context(), "web-1", other); err != nil || pinned != key {
			t.Errorf("trust on first use has replaced a key: %v, %v", pinned == other, err)
		}
		serial := m.get(t, "web-1").Serial
		if r := m.repin(t, "web-1", "host_key="+other); r.HostKey != other || r.Serial != serial || r.KeyPinned != PinnedByWrite {
			t.Errorf("the same server has a new key: %+v", r)
		}
		if r := m.repin(t, "web-1", "host_key="+key, "another_server=true"); r.HostKey != key || r.Serial == serial {
			t.Errorf("another server: %+v", r)
		}
		if m.get(t, "web-1").Address != testAddress {
			t.Error("a new key has changed the address")
		}
	}
}

// A host that is deleted while accounts exist keeps what says who gets their passwords.
func TestTombstones(t *testing.T) {
	m, key, other := newMount(t), newKey(t), newKey(t)
	again := []string{"connection=" + dc1, "address=" + otherAddress}
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "host_key="+key, "login_user=deploy", "tags=env=prod")
	serial := m.get(t, "web-1").Serial
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.has(dc2, "web-1", Use{})
	m.remove(t, "web-1")
	if r, err := m.Get(t.Context(), "web-1"); r != nil || err != nil {
		t.Errorf("a deleted host is there: %v, %v", r, err)
	}
	if hosts := m.hosts(t, dc1); len(hosts) != 0 {
		t.Errorf("a deleted host is an instance: %v", hosts)
	}
	r := m.get(t, "web-1")
	if r == nil || r.HostKey != key || r.LoginUser != "deploy" || r.Tags != nil || r.Address != "" {
		t.Fatalf("the tombstone: %+v", r)
	}
	m.refused(t, "web-1", conflict, []string{"host-key/web-1", "another_server=true", "accounts/dc-1/web-1", sshclient.Fingerprint(key)},
		append(again, "host_key="+other)...)
	m.refused(t, "web-1", conflict, []string{"connection: cannot be changed from dc-1"}, "connection="+dc2, "address="+otherAddress)
	m.refused(t, "web-1", conflict, []string{"login_user: "}, append(again, "login_user=mallory")...)
	m.refused(t, "web-1", conflict, []string{"login_user: "}, append(again, "login_user=")...)
	m.refused(t, "web-1", conflict, []string{"cannot be dropped"}, append(again, "host_key=")...)
	got := m.write(t, "web-1", append(again, "host_key="+key)...)
	if r := got.Record; got.Result != Created || r.Serial != serial || r.LoginUser != "deploy" || r.Address != otherAddress || r.Tags != nil ||
		!r.Deleted.IsZero() {
		t.Errorf("revived: %s %+v", got.Result, r)
	}
	// Without a key in the write, the pinned one stays.
	m.remove(t, "web-1")
	if r := m.write(t, "web-1", append(again, "trust_on_first_use=true")...).Record; r.HostKey != key || r.Serial != serial {
		t.Errorf("revived without a key: %+v", r)
	}
	// Another server, by an administrator's word.
	m.remove(t, "web-1")
	if r := m.repin(t, "web-1", "host_key="+other, "another_server=true"); r.Deleted.IsZero() || r.Serial == serial {
		t.Errorf("another server of a deleted host: %+v", r)
	}
	m.refused(t, "web-1", conflict, []string{"host-key/web-1"}, append(again, "host_key="+key)...)
	if r := m.write(t, "web-1", append(again, "host_key="+other)...).Record; r.HostKey != other || r.Serial == serial {
		t.Errorf("another server: %+v", r)
	}
	// Once the accounts are forgotten it is a new host.
	m.remove(t, "web-1")
	m.has(dc1, "web-1", Use{})
	serial = m.get(t, "web-1").Serial
	fresh := m.write(t, "web-1", "connection="+dc2, "address="+otherAddress, "host_key="+newKey(t), "login_user=mallory")
	if r := fresh.Record; fresh.Result != Created || r.Serial == serial || r.Connection != dc2 {
		t.Errorf("without accounts: %+v", r)
	}
	// Deleted without accounts, or without a key, nothing stays.
	m.remove(t, "web-1")
	if r := m.get(t, "web-1"); r != nil {
		t.Errorf("kept without accounts: %+v", r)
	}
	m.write(t, "web-2", "connection="+dc1, "address="+testAddress)
	m.has(dc1, "web-2", Use{Accounts: 1})
	m.remove(t, "web-2")
	if r := m.get(t, "web-2"); r != nil {
		t.Errorf("kept without a key: %+v", r)
	}
	m.remove(t, "web-2")
	m.remove(t, "never")
}

func TestWhatAccountsFix(t *testing.T) {
	m, key := newMount(t), newKey(t)
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "host_key="+key)
	m.write(t, "web-1", "login_user=deploy")
	m.write(t, "web-1", "connection="+dc2)
	m.write(t, "web-1", "connection="+dc1)
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.refused(t, "web-1", conflict, []string{"connection: cannot be changed from dc-1", "host-key/web-1 connection=dc-2",
		"accounts/dc-1/web-1"}, "connection="+dc2)
	m.refused(t, "web-1", conflict, []string{"login_user", "host-key/web-1 login_user=mallory"}, "login_user=mallory")
	m.refused(t, "web-1", conflict, []string{"login_user"}, "login_user=")
	m.write(t, "web-1", "address="+otherAddress, "port=2222", "sudo=tty", "tags=a=b", "trust_on_first_use=true")
	if r := m.repin(t, "web-1", "login_user=", "connection="+dc2); r.LoginUser != "" || r.Connection != dc2 || r.HostKey != key {
		t.Errorf("by host-key/: %+v", r)
	}
	// Accounts of the other connection, which has never had the host, do not come with it.
	m.has(dc1, "web-1", Use{})
	m.has(dc2, "web-1", Use{})
	m.write(t, "web-1", "connection="+dc2)
	m.has(dc1, "web-1", Use{Accounts: 1, Passwords: true})
	m.refused(t, "web-1", conflict, []string{"have passwords", "host-key/web-1 connection=dc-1"}, "connection="+dc1)
	m.repin(t, "web-1", "connection="+dc1)
}

// Passwords that were recorded by hand are not to be tried at a server of somebody's choice.
func TestAccountsWithPasswordsAndWithoutAKey(t *testing.T) {
	m, key := newMount(t), newKey(t)
	base := []string{"connection=" + dc1, "address=" + testAddress}
	m.write(t, "web-1", base...)
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.write(t, "web-1", "address="+otherAddress)
	m.has(dc1, "web-1", Use{Accounts: 1, Passwords: true})
	for _, pair := range []string{"address=" + testAddress, "port=2222", "host_key=" + key, "trust_on_first_use=true"} {
		m.refused(t, "web-1", conflict, []string{"have passwords", "host-key/web-1"}, pair)
	}
	m.write(t, "web-1", "sudo=tty", "tags=a=b")
	m.remove(t, "web-1")
	m.refused(t, "web-1", conflict, []string{"have passwords", "host-key/web-1 connection=dc-1"}, append(base, "host_key="+key)...)
	m.refused(t, "web-1", conflict, []string{"have passwords"}, base...)
	if r := m.repin(t, "web-1", "connection="+dc1, "host_key="+key); r.Deleted.IsZero() {
		t.Errorf("a pin without a host: %+v", r)
	}
	if hosts := m.hosts(t, dc1); len(hosts) != 0 {
		t.Errorf("a pin without a host is an instance: %v", hosts)
	}
	m.refused(t, "web-1", conflict, []string{"host-key/web-1"}, append(base, "host_key="+newKey(t))...)
	if got := m.write(t, "web-1", base...); got.Record.HostKey != key || got.Result != Created {
		t.Errorf("after the pin: %+v", got)
	}
}

func TestRepinRefusals(t *testing.T) {
	m, key := newMount(t), newKey(t)
	m.refusedRepin(t, "web-1", invalid, []string{"does not exist", "hosts/web-1"}, "host_key="+key)
	m.refusedRepin(t, "web-1", invalid, []string{"does not exist"}, "host_key="+key, "connection="+dc1)
	m.has(dc1, "web-1", Use{Accounts: 1})
	m.refusedRepin(t, "web-1", invalid, []string{"host_key: required"}, "connection="+dc1)
	m.refusedRepin(t, "..", invalid, []string{"host name"}, "host_key="+key)
	m.has(dc1, "web-1", Use{})
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress, "host_key="+key)
	m.refusedRepin(t, "web-1", invalid, []string{"host_key: give it"})
	m.refusedRepin(t, "web-1", invalid, []string{"host_key: cannot be empty"}, "host_key=")
	m.refusedRepin(t, "web-1", invalid, []string{"host_key: is a fingerprint"}, "host_key=SHA256:abc")
	m.refusedRepin(t, "web-1", invalid, []string{"another_server: give the host_key"}, "another_server=true")
	m.refusedRepin(t, "web-1", invalid, []string{"login_user"}, "login_user=a b")
	m.refusedRepin(t, "web-1", invalid, []string{"connection: cannot be empty"}, "connection=")
	m.refusedRepin(t, "web-1", invalid, []string{"does not exist"}, "connection=none")
	m.refusedRepin(t, "web-1", invalid, []string{"name: connection aws-1"}, "connection="+aws1)
	m.write(t, instance, "connection="+aws1, "host_key="+key)
	m.refusedRepin(t, instance, invalid, []string{"another_server: the cloud tells"}, "host_key="+key, "another_server=true")
	m.refusedRepin(t, instance, invalid, []string{"login_user: nobody logs in"}, "login_user=root")
	m.refusedRepin(t, instance, conflict, []string{"connection: the servers of dc-1 are of another kind"}, "connection="+dc1)
	before := m.get(t, "web-1")
	m.later(time.Hour)
	if r := m.repin(t, "web-1", "host_key="+key, "another_server=false"); r != before {
		t.Errorf("the same key changes something: %+v", r)
	}
	if r := m.repin(t, instance, "connection="+aws2, "host_key="+newKey(t)); r.Connection != aws2 || r.HostKey == key {
		t.Errorf("of a cloud: %+v", r)
	}
}

// A connection cannot be deleted between its check and the write: it is held, the one that the entry will have.
func TestTheConnectionIsHeld(t *testing.T) {
	m := newMount(t)
	var held []string
	m.onHold = func(name string) { held = append(held, name) }
	m.write(t, "web-1", "connection="+dc1, "address="+testAddress)
	m.write(t, "web-1", "port=2222")
	m.write(t, "web-1", "connection="+dc2)
	if got := strings.Join(held, " "); got != dc1+" "+dc1+" "+dc2 {
		t.Errorf("held: %s", got)
	}
	m.onHold = func(string) { // before the entry's lock is taken, another write moves the host
		m.onHold = nil
		m.write(t, "web-1", "connection="+dc1)
	}
	m.refusedOnce(t, "web-1", conflict, "was changed by others", "port=22")
	m.write(t, "web-1", "port=22")
}
