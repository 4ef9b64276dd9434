package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// The connections of tests: two whose instances are those of the inventory, two of clouds.
const (
	dc1, dc2     = "dc-1", "dc-2"
	aws1, aws2   = "aws-1", "aws-2"
	instance     = "i-1"
	testAddress  = "192.0.2.7"
	otherAddress = "192.0.2.8"
)

// mount is what the inventory knows of a mount.
type mount struct {
	*Store
	storage *counted

	mu     sync.Mutex
	uses   map[string]Use // by connection/name
	now    time.Time
	onHold func(connection string)
}

// counted is storage that counts, and tells of its reads and writes before they are made.
type counted struct {
	logical.InmemStorage
	mu     sync.Mutex
	gets   int
	lists  int
	onGet  func(key string)
	onPut  func(key string)
	failed map[string]error // by key
}

func (c *counted) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	c.mu.Lock()
	c.gets++
	tell, err := c.onGet, c.failed[key]
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	entry, err := c.InmemStorage.Get(ctx, key)
	if tell != nil {
		tell(key)
	}
	return entry, err
}

func (c *counted) Put(ctx context.Context, entry *logical.StorageEntry) error {
	c.mu.Lock()
	tell, err := c.onPut, c.failed[entry.Key]
	c.mu.Unlock()
	if tell != nil {
		tell(entry.Key)
	}
	if err != nil {
		return err
	}
	return c.InmemStorage.Put(ctx, entry)
}

func (c *counted) List(ctx context.Context, prefix string) ([]string, error) {
	c.mu.Lock()
	c.lists++
	c.mu.Unlock()
	return c.InmemStorage.List(ctx, prefix)
}

// fail has the entries of keys fail with errors.
func (c *counted) fail(keys map[string]error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = keys
}

// reads is how often entries were read since the last call.
func (c *counted) reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.gets
	c.gets = 0
	return n
}

func newMount(t testing.TB) *mount {
	t.Helper()
	return newMountOn(&counted{})
}

// newMountOn is a mount on existing storage: a restart, or another node.
func newMountOn(storage *counted) *mount {
	m := &mount{storage: storage, uses: map[string]Use{}, now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	m.Store = NewStore(Deps{
		Storage: storage,
		Use: func(_ context.Context, connection, instance string) (Use, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.uses[connection+"/"+instance], nil
		},
		Connection: func(_ context.Context, name string) (Connection, error) {
			switch name {
			case dc1, dc2:
				return Connection{Listed: true, CheckID: func(string) error { return nil }}, nil
			case aws1, aws2:
				return Connection{CheckID: func(id string) error {
					if !strings.HasPrefix(id, "i-") {
						return errors.New("an instance id begins with i-")
					}
					return nil
				}}, nil
			}
			return Connection{}, request.Invalidf("connection %s does not exist", name)
		},
		HoldConnection: func(name string) func() {
			m.mu.Lock()
			held := m.onHold
			m.mu.Unlock()
			if held != nil {
				held(name)
			}
			return func() {}
		},
		Log: hclog.NewNullLogger,
		Now: func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.now },
	})
	return m
}

// has sets what accounts have of a server.
func (m *mount) has(connection, name string, use Use) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uses[connection+"/"+name] = use
}

func (m *mount) later(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// fields is a write, as the mount makes it of field=value.
func fields(t testing.TB, pairs ...string) request.Fields {
	t.Helper()
	raw := map[string]any{"name": "x"}
	for _, pair := range pairs {
		field, value, ok := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("%q is no field=value", pair)
		}
		raw[field] = value
	}
	one, err := parseOne(raw)
	if err != nil {
		t.Fatal(err)
	}
	return one.in
}

func pinFields(pairs ...string) request.Fields {
	raw := map[string]any{}
	for _, pair := range pairs {
		field, value, _ := strings.Cut(pair, "=")
		raw[field] = value
	}
	return request.Fields{Data: &framework.FieldData{Raw: raw, Schema: PinFields()}}
}

func (m *mount) write(t testing.TB, name string, pairs ...string) Change {
	t.Helper()
	change, err := m.Write(t.Context(), name, fields(t, pairs...))
	if err != nil {
		t.Fatalf("write %s %q: %v", name, pairs, err)
	}
	return change
}

// refused checks that a write is refused with a status and says the texts, and changes nothing.
func (m *mount) refused(t testing.TB, name string, status int, says []string, pairs ...string) {
	t.Helper()
	before := m.get(t, name)
	_, err := m.Write(t.Context(), name, fields(t, pairs...))
	checkRefusal(t, fmt.Sprintf("write %s %q", name, pairs), err, status, says)
	if after := m.get(t, name); after != before {
		t.Errorf("write %s %q was refused and changed the entry", name, pairs)
	}
	dry, err2 := m.Plan(t.Context(), name, fields(t, pairs...))
	if err2 == nil || err2.Error() != err.Error() {
		t.Errorf("write %s %q is planned otherwise: %v, %v", name, pairs, dry.Result, err2)
	}
}

// refusedOnce is refused, for what another call would not see any more.
func (m *mount) refusedOnce(t testing.TB, name string, status int, says string, pairs ...string) {
	t.Helper()
	_, err := m.Write(t.Context(), name, fields(t, pairs...))
	checkRefusal(t, fmt.Sprintf("write %s %q", name, pairs), err, status, []string{says})
}

func checkRefusal(t testing.TB, what string, err error, status int, says []string) {
	t.Helper()
	var coded logical.HTTPCodedError
	if !errors.As(err, &coded) || coded.Code() != status {
		t.Fatalf("%s: %v; want a refusal with %d", what, err, status)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %q does not say %q", what, err, text)
		}
	}
}

// get is the entry, a tombstone included.
func (m *mount) get(t testing.TB, name string) *Record {
	t.Helper()
	r, err := m.Pinned(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (m *mount) remove(t testing.TB, name string) {
	t.Helper()
	if _, _, err := m.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func (m *mount) repin(t testing.TB, name string, pairs ...string) *Record {
	t.Helper()
	r, err := m.Repin(t.Context(), name, pinFields(pairs...))
	if err != nil {
		t.Fatalf("host-key/%s %q: %v", name, pairs, err)
	}
	return r
}

func (m *mount) refusedRepin(t testing.TB, name string, status int, says []string, pairs ...string) {
	t.Helper()
	_, err := m.Repin(t.Context(), name, pinFields(pairs...))
	checkRefusal(t, fmt.Sprintf("host-key/%s %q", name, pairs), err, status, says)
}

func (m *mount) hosts(t testing.TB, connection string) []cloud.Host {
	t.Helper()
	hosts, err := m.View(connection, true).Hosts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

const (
	invalid  = http.StatusBadRequest
	conflict = http.StatusConflict
)

// newKey is a public key in canonical form.
func newKey(t testing.TB) string {
	t.Helper()
	return sshserver.Line(sshserver.NewKey(t).PublicKey())
}
