package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
)

// rootCloud is a cloud in memory that knows access keys: it refuses calls by others, and lets an
// identity replace its own.
const rootCloud = "rootcloud"

// fakeKeys are the access keys of one identity.
type fakeKeys struct {
	*fakeCloud
	mishap *mishap

	mu      sync.Mutex
	secrets map[string]string // by access key id
	made    int
	limit   int
	// slow is how many calls by a new key are refused before the cloud knows it everywhere.
	slow   int
	unripe map[string]int
	// denied are failures, by method
	denied map[string]error
	// checks is what CheckPermissions answers.
	checks    []cloud.Permission
	spoil     cloud.Values // what is wrong in a new credential
	passwords bool         // the connection uses a password, and Create makes application credentials
	// keeps is set where a new credential brings the secret of the one before along, for places that know no other yet.
	keeps bool
	// told is what the cloud tells of credentials, by id; asked how often it was asked.
	told  map[string]cloud.Credential
	asked int
}

func newFakeKeys() *fakeKeys {
	return &fakeKeys{fakeCloud: newFakeCloud(), mishap: &mishap{}, secrets: map[string]string{"AK": "s3cr3t-key"}, limit: 2,
		unripe: map[string]int{}, denied: map[string]error{}}
}

func (f *fakeKeys) registry() cloud.Registry {
	registry := f.fakeCloud.registry()
	d := registry[resetCloud]
	base := d.New
	d.Name = rootCloud
	d.New = func(c cloud.Config) (cloud.Provider, error) {
		p, err := base(c)
		if err != nil {
			return nil, err
		}
		return &fakeRotator{p.(fakeReset), f}, nil
	}
	if f.keeps {
		d.Fields = append(slices.Clone(d.Fields), cloud.Field{
			Name: previousField, Kind: cloud.FieldSecret, Internal: true, Description: "The secret before.", Default: "none",
		})
	}
	registry[rootCloud] = d
	return registry
}

// ids lists the keys that exist.
func (f *fakeKeys) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.secrets))
}

func (f *fakeKeys) works(id, secret string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return id != "" && f.secrets[id] == secret
}

func (f *fakeKeys) forget(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.secrets, id)
}

// fakeRotator is a provider with an access key, or a user's password.
type fakeRotator struct {
	fakeReset
	keys *fakeKeys
}

var (
	_ cloud.CredentialRotator = (*fakeRotator)(nil)
	_ cloud.PermissionChecker = (*fakeRotator)(nil)
	_ cloud.CredentialTeller  = (*fakeRotator)(nil)
)

// authorize refuses a call by a key that does not exist, or not everywhere yet.
func (p *fakeRotator) authorize(method string) error {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	if err := p.keys.denied[method]; err != nil {
		return err
	}
	id, secret := p.config.Text(cloud.AccessKey), p.config.Text(cloud.SecretKey)
	if application := p.config.Values[applicationIDField]; application != "" {
		id, secret = application, p.config.Values[applicationSecretField]
	}
	if p.config.Values["password"] != "" {
		return nil
	}
	if want, ok := p.keys.secrets[id]; !ok || want != secret {
		return cloud.Errorf(cloud.Denied, "access key %s does not exist, or its secret is another", id)
	}
	if p.keys.unripe[id] > 0 {
		p.keys.unripe[id]--
		return cloud.Errorf(cloud.Denied, "access key %s is not known yet", id)
	}
	return nil
}

func (p *fakeRotator) Verify(ctx context.Context) error {
	if err := p.keys.mishap.step("Verify"); err != nil {
		return err
	}
	if err := p.authorize("Verify"); err != nil {
		return err
	}
	return p.fakeReset.Verify(ctx)
}

func (p *fakeRotator) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	if err := p.authorize("DescribeInstances"); err != nil {
		return nil, err
	}
	return p.fakeReset.DescribeInstances(ctx, ids)
}

func (p *fakeRotator) OwnCredentials(context.Context) ([]cloud.OwnCredential, error) {
	if err := p.keys.mishap.step("OwnCredentials"); err != nil {
		return nil, err
	}
	if err := p.authorize("OwnCredentials"); err != nil {
		return nil, err
	}
	var own []cloud.OwnCredential
	for _, id := range p.keys.ids() {
		own = append(own, cloud.OwnCredential{ID: id, InUse: id == p.config.Text(cloud.AccessKey) || id == p.config.Values[applicationIDField]})
	}
	return own, nil
}

func (p *fakeRotator) Credential(context.Context) (cloud.Credential, error) {
	p.keys.mu.Lock()
	p.keys.asked++
	id := p.config.Text(cloud.AccessKey)
	told := p.keys.told[id]
	p.keys.mu.Unlock()
	told.ID = id
	if err := p.authorize("Credential"); err != nil {
		return cloud.Credential{ID: id}, err
	}
	return told, nil
}

func (p *fakeRotator) CheckRotation() error {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	return p.keys.denied["CheckRotation"]
}

func (p *fakeRotator) CreateCredential(context.Context) (cloud.Values, error) {
	if err := p.keys.mishap.step("before CreateCredential"); err != nil {
		return nil, err
	}
	if err := p.authorize("CreateCredential"); err != nil {
		return nil, err
	}
	made, err := p.keys.create()
	if err != nil {
		return nil, err
	}
	maps.Copy(made, p.keys.spoil)
	if p.keys.keeps {
		made[previousField] = p.config.Text(cloud.SecretKey)
	}
	return made, p.keys.mishap.step("after CreateCredential")
}

func (f *fakeKeys) create() (cloud.Values, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.secrets) >= f.limit {
		return nil, cloud.Errorf(cloud.Refused, "there are %d access keys already, as many as the cloud allows; delete one", len(f.secrets))
	}
	f.made++
	id, secret := fmt.Sprintf("AK-%d", f.made), fmt.Sprintf("s3cr3t-new-%d", f.made)
	f.secrets[id], f.unripe[id] = secret, f.slow
	if f.passwords {
		return cloud.Values{
			applicationIDField: id, applicationSecretField: secret,
			"username": "", "password": "", "user_domain_name": "", "project_name": "", "project_domain_name": "",
		}, nil
	}
	return cloud.Values{cloud.AccessKey.Name: id, cloud.SecretKey.Name: secret}, nil
}

func (p *fakeRotator) DeleteCredential(_ context.Context, id string) error {
	if err := p.keys.mishap.step("before DeleteCredential"); err != nil {
		return err
	}
	if err := p.authorize("DeleteCredential"); err != nil {
		return err
	}
	if id == p.config.Text(cloud.AccessKey) {
		return cloud.Errorf(cloud.Refused, "the connection uses it")
	}
	p.keys.forget(id)
	return p.keys.mishap.step("after DeleteCredential")
}

func (p *fakeRotator) CheckPermissions(context.Context) ([]cloud.Permission, error) {
	if err := p.authorize("CheckPermissions"); err != nil {
		return nil, err
	}
	return p.keys.checks, nil
}

var errMishap = cloud.Errorf(cloud.Unknown, "the planned mishap")

// mishap strikes at one of the steps that a test counts: as a crash, after which nothing works any
// more, or as one failure.
type mishap struct {
	mu    sync.Mutex
	armed bool
	at    int
	crash bool
	count int
	dead  bool
	where string
}

// arm plans a mishap at the n-th step from now, the first being 1.
func (m *mishap) arm(n int, crash bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed, m.at, m.crash, m.count, m.dead, m.where = true, n, crash, 0, false, ""
}

// end returns where the mishap struck, "" if there were not that many steps; everything works again.
func (m *mishap) end() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed, m.dead = false, false
	return m.where
}

func (m *mishap) step(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.armed {
		return nil
	}
	m.count++
	if m.count == m.at {
		m.where, m.dead = what, m.crash
		return errMishap
	}
	if m.dead {
		return errMishap
	}
	return nil
}

func (m *mishap) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

var errStorage = errors.New("the planned mishap of storage")

// mishapStorage fails, or crashes, before or after writes.
type mishapStorage struct {
	logical.Storage
	mishap *mishap
}

func (s mishapStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	if s.mishap.step("before Put "+e.Key) != nil {
		return errStorage
	}
	if err := s.Storage.Put(ctx, e); err != nil {
		return err
	}
	if s.mishap.step("after Put "+e.Key) != nil {
		return errStorage
	}
	return nil
}

func (s mishapStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.mishap.isDead() {
		return nil, errStorage
	}
	return s.Storage.Get(ctx, key)
}

// fakeClock is a clock that sleeping moves.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) clock() clock {
	return clock{
		now: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.now
		},
		sleep: func(ctx context.Context, d time.Duration) error {
			c.advance(d)
			return ctx.Err()
		},
	}
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rootMount is a mount whose connection "prod" has an access key of its own.
type rootMount struct {
	*harness
	keys  *fakeKeys
	time  *fakeClock
	inner logical.Storage
}

func newRootMount(t *testing.T) *rootMount {
	t.Helper()
	m := &rootMount{keys: newFakeKeys(), time: &fakeClock{now: time.Now()}, inner: new(logical.InmemStorage)}
	m.restart(t)
	m.write(t, "config/prod", connectionData(rootCloud))
	return m
}

// restart makes a new process on the same storage.
func (m *rootMount) restart(t *testing.T) {
	t.Helper()
	m.harness = newHarnessWith(t, mishapStorage{m.inner, m.keys.mishap}, m.keys.fakeCloud, m.keys.registry())
	m.clock = m.time.clock()
}

// stored is the connection as storage has it.
func (m *rootMount) storedConnection(t *testing.T) *connection.Record {
	t.Helper()
	entry, err := m.inner.Get(t.Context(), connection.Prefix+"prod")
	if err != nil || entry == nil {
		t.Fatalf("the connection is not stored: %v", err)
	}
	c, err := connection.Decode(entry.Value)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkSound checks what must hold at every moment: the stored credential works, and every other one
// is accounted for.
func (m *rootMount) checkSound(t *testing.T, when string) {
	t.Helper()
	c := m.storedConnection(t)
	if !m.keys.works(c.Own["access_key"], c.Own["secret_key"]) {
		t.Fatalf("%s: the stored credential %s does not work", when, c.Own["access_key"])
	}
	for _, id := range m.keys.ids() {
		r := c.RootRotation
		switch {
		case id == c.Own["access_key"], slices.Contains(c.LeftoverIDs(), id):
		case r != nil && (r.Step == connection.RootCreating || r.OldID == id || r.NewID == id):
		default:
			t.Fatalf("%s: nothing tells of the credential %s", when, id)
		}
	}
}
