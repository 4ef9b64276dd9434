package backend

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// Names of the in-memory clouds.
const (
	initialCloud = "initialcloud" // keeps initial passwords, resets nothing
	resetCloud   = "resetcloud"   // resets by shutting down, keeps no initial passwords
	bothCloud    = "bothcloud"    // resets without a shutdown and keeps initial passwords
)

// fakeCloud is a cloud in memory: its servers have passwords, and it counts its calls.
type fakeCloud struct {
	mu        sync.Mutex
	instances map[string]cloud.Instance
	initial   map[string]string // ciphertext by instance id
	passwords map[string]string // what the server really accepts
	records   map[string]cloud.ResetRecord
	prints    map[string]string                      // fingerprint by key pair name
	failures  map[string]error                       // by method
	during    map[string]func(context.Context) error // what happens in a call, by method
	calls     map[string]int
	rules     map[string]password.Rules // by instance id, where they are not fakeRules
	configs   []cloud.Config            // of every provider made
	requests  int
	refuses   map[string]bool     // instances whose guest refuses every password
	sent      map[string][]string // the passwords that an instance was sent, in order
	users     map[string]cloud.UserState
	// checkTraits are those of checks, and tries what was tried by them where these log in.
	checkTraits cloud.CheckTraits
	tries       []string
}

func newFakeCloud() *fakeCloud {
	return &fakeCloud{
		instances: map[string]cloud.Instance{}, initial: map[string]string{}, passwords: map[string]string{},
		records: map[string]cloud.ResetRecord{}, prints: map[string]string{}, failures: map[string]error{}, calls: map[string]int{},
	}
}

// Names of fields that several tests need.
const (
	ambientField           = "use_ambient_credentials"
	applicationIDField     = "application_credential_id"
	applicationSecretField = "application_credential_secret"
)

// fakeFields are the fields of all real providers, without the checks of their forms.
func fakeFields() []cloud.Field {
	registry, known := providers(), map[string]bool{}
	var fields []cloud.Field
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		if registry[name].HasHosts {
			continue // no cloud; TestFieldsOfAnSSHConnection has its fields
		}
		for _, field := range registry[name].Fields {
			if !known[field.Name] && field.Written() {
				field.Check = nil
				fields = append(fields, field)
			}
			known[field.Name] = true
		}
	}
	return fields
}

func (f *fakeCloud) registry() cloud.Registry {
	fields := fakeFields()
	describe := func(name string, make func(*fakeProvider) cloud.Provider) cloud.Descriptor {
		return cloud.Descriptor{
			Name: name, Title: "Cloud " + name, Fields: fields, EndpointKeys: []string{"compute"}, DefaultRequestsPerSecond: 1000,
			Validate: func(c cloud.Config) error {
				if c.Text(cloud.Region) == "" {
					return fmt.Errorf("region: required")
				}
				return nil
			},
			New: func(c cloud.Config) (cloud.Provider, error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.configs = append(f.configs, c)
				return make(&fakeProvider{f, c}), nil
			},
		}
	}
	initial := describe(initialCloud, func(p *fakeProvider) cloud.Provider { return fakeInitial{p} })
	initial.HasInitialPassword, initial.CanClearInitial = true, true
	reset := describe(resetCloud, func(p *fakeProvider) cloud.Provider { return fakeReset{p} })
	reset.ResetMethods = []cloud.ResetMethod{{Name: cloud.MethodAPI, MayStop: true}, {Name: cloud.MethodCommand}}
	reset.CheckMethods, reset.Addressed = []string{cloud.CheckCommand}, true
	both := describe(bothCloud, func(p *fakeProvider) cloud.Provider { return fakeBoth{p, fakeInitial{p}, fakeReset{p}} })
	both.ResetMethods, both.HasInitialPassword = []cloud.ResetMethod{{Name: cloud.MethodCommand}}, true
	return cloud.Registry{initialCloud: initial, resetCloud: reset, bothCloud: both}
}

// launch starts a server.
func (f *fakeCloud) launch(i cloud.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.State == "" {
		i.State, i.CloudState = cloud.StateRunning, "RUNNING"
	}
	if i.Platform == "" {
		i.Platform = cloud.Windows
	}
	if i.LaunchTime.IsZero() {
		i.LaunchTime = time.Now().Add(-time.Hour)
	}
	f.instances[i.ID] = i
}

func (f *fakeCloud) change(id string, change func(*cloud.Instance)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.instances[id]
	change(&i)
	f.instances[id] = i
}

// terminate has the cloud say that an instance does not exist any more.
func (f *fakeCloud) terminate(id string) {
	f.change(id, func(i *cloud.Instance) { i.State, i.CloudState = cloud.StateGone, "TERMINATED" })
}

// hide has the cloud not show an instance.
func (f *fakeCloud) hide(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.instances, id)
}

func (f *fakeCloud) fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures[method] = err
}

// count is how many calls of the methods there were; none named: of all.
func (f *fakeCloud) count(methods ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for method, calls := range f.calls {
		if len(methods) == 0 || slices.Contains(methods, method) {
			n += calls
		}
	}
	return n
}

// checkBy has checks be of a kind.
func (f *fakeCloud) checkBy(traits cloud.CheckTraits) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkTraits = traits
}

// tried are the passwords that checks have tried.
func (f *fakeCloud) tried() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tries)
}

func (f *fakeCloud) password(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passwords[id]
}

// boot makes the guest's first boot: its password, encrypted under key.
func (f *fakeCloud) boot(t *testing.T, id, plain string, key *rsa.PublicKey) {
	t.Helper()
	block, err := rsa.EncryptPKCS1v15(rand.Reader, key, []byte(plain)) //nolint:staticcheck // SA1019: what guests do.
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.initial[id] = base64.StdEncoding.EncodeToString(block)
	f.passwords[id] = plain
}

type fakeProvider struct {
	*fakeCloud
	config cloud.Config
}

// call counts a call and returns the failure that is planned for it.
func (p *fakeProvider) call(ctx context.Context, method string) error {
	if method != "StartReset" {
		if err := p.config.Limiter.Wait(ctx, method); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.calls[method]++
	failure, during := p.failures[method], p.during[method]
	p.mu.Unlock()
	if during != nil {
		return during(ctx)
	}
	return failure
}

func (p *fakeProvider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	if err := p.call(ctx, "DescribeInstances"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []cloud.Instance
	for _, id := range ids {
		if i, ok := p.instances[id]; ok {
			found = append(found, i)
		}
	}
	return found, nil
}

func (p *fakeProvider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	if err := p.call(ctx, "FindInstances"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []cloud.Instance
	for _, i := range p.instances {
		matches := i.State != cloud.StateGone
		for k, v := range tags {
			matches = matches && i.Tags[k] == v
		}
		if matches {
			found = append(found, i)
		}
	}
	return found, nil
}

func (p *fakeProvider) Verify(ctx context.Context) error { return p.call(ctx, "Verify") }

func (*fakeProvider) ValidateInstanceID(id string) error {
	if !strings.HasPrefix(id, "srv-") {
		return cloud.Errorf(cloud.Refused, "%q is not an instance id; it is srv- and a number", id)
	}
	return nil
}

func (*fakeProvider) DefaultUsername(i cloud.Instance) string {
	if i.Platform == cloud.Windows {
		return "Administrator"
	}
	return "root"
}

var fakeRules = password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 3}

func (p *fakeProvider) PasswordRules(i cloud.Instance) password.Rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rules, ok := p.rules[i.ID]; ok {
		return rules
	}
	return fakeRules
}

type fakeInitial struct{ *fakeProvider }

func (p fakeInitial) InitialPassword(ctx context.Context, id string) (string, error) {
	if err := p.call(ctx, "InitialPassword"); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.initial[id]; ok {
		return c, nil
	}
	return "", cloud.Errorf(cloud.NotReady, "no initial password yet")
}

func (p fakeInitial) CheckInitialPassword(ctx context.Context, _ string) error {
	return p.call(ctx, "CheckInitialPassword")
}

func (fakeInitial) InitialPasswordDelay() time.Duration { return 10 * time.Minute }

func (p fakeInitial) KeyFingerprint(ctx context.Context, name string) (string, error) {
	if err := p.call(ctx, "KeyFingerprint"); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prints[name], nil
}

func (p fakeInitial) ClearInitialPassword(ctx context.Context, id string) error {
	if err := p.call(ctx, "ClearInitialPassword"); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.initial, id)
	return nil
}

type fakeReset struct{ *fakeProvider }

// Resetter has every method do the same.
func (p fakeReset) Resetter(method string) cloud.PasswordResetter {
	switch method {
	case cloud.MethodAPI, cloud.MethodCommand:
		return p
	}
	return nil
}

// Checker implements cloud.PasswordCheckers.
func (p fakeReset) Checker(method string) cloud.PasswordChecker {
	if method == cloud.CheckCommand {
		return fakeChecker(p)
	}
	return nil
}

// fakeChecker knows what the servers accept.
type fakeChecker struct{ *fakeProvider }

func (p fakeChecker) CheckTraits(cloud.Platform) cloud.CheckTraits {
	p.mu.Lock()
	defer p.mu.Unlock()
	traits := p.checkTraits
	traits.Action = "CheckPassword"
	return traits
}

func (fakeChecker) CanCheck(i cloud.Instance, _ string) error {
	if strings.HasPrefix(i.Name, "appliance") {
		return cloud.Errorf(cloud.Refused, "an appliance cannot be looked at; use another check_method")
	}
	return nil
}

func (p fakeChecker) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	if err := p.call(ctx, "CheckPassword"); err != nil {
		return cloud.NotCompared(""), err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := cloud.PasswordFinding{Match: slices.Index(check.Values, p.passwords[check.InstanceID]), State: p.users[check.InstanceID]}
	if p.checkTraits.Tries {
		found.Tried = true
		p.tries = append(p.tries, check.Values...)
	}
	return found, nil
}

func (fakeReset) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action: "StartReset", BatchSize: 100, SignatureLifetime: time.Second, Serial: true,
		VisibilityGrace: time.Second, PollInterval: time.Millisecond,
	}
}

func (p fakeReset) StartReset(ctx context.Context, r cloud.Reset) (cloud.ResetStarted, error) {
	if err := p.call(ctx, "StartReset"); err != nil {
		return cloud.ResetStarted{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	request := fmt.Sprintf("req-%d", p.requests)
	for _, id := range r.InstanceIDs {
		if p.sent == nil {
			p.sent = map[string][]string{}
		}
		p.sent[id] = append(p.sent[id], r.Password)
		if p.refuses[id] {
			p.records[id] = cloud.ResetRecord{OperationID: request, State: cloud.OperationFailed, Kind: cloud.PasswordRefused,
				Message: "the guest refuses it"}
			continue
		}
		p.passwords[id] = r.Password
		p.records[id] = cloud.ResetRecord{OperationID: request, State: cloud.OperationSuccess}
	}
	return cloud.ResetStarted{RequestID: request}, nil
}

func (p fakeReset) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	if err := p.call(ctx, "ResetRecords"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]cloud.ResetRecord{}
	for _, ref := range refs {
		if i, ok := p.instances[ref.InstanceID]; ok {
			record := p.records[ref.InstanceID]
			record.Gone = i.State == cloud.StateGone
			out[ref.InstanceID] = record
		}
	}
	return out, nil
}

// fakeBoth takes the methods of cloud.Provider from its first part.
type fakeBoth struct {
	*fakeProvider
	initialPart
	resetPart
}

type (
	initialPart interface {
		cloud.InitialPasswordReader
	}
	resetPart interface{ cloud.PasswordResetters }
)

var (
	_ cloud.InitialPasswordReader  = fakeInitial{}
	_ cloud.InitialPasswordClearer = fakeInitial{}
	_ cloud.PasswordResetter       = fakeReset{}
	_ cloud.PasswordResetters      = fakeReset{}
	_ cloud.PasswordResetters      = fakeBoth{}
	_ cloud.InitialPasswordReader  = fakeBoth{}
)

// testKey is an RSA key and its PEM.
type testKey struct {
	key *rsa.PrivateKey
	pem string
}

// Two keys for all tests: making one takes long.
var (
	keyOne = sync.OnceValues(newTestKey)
	keyTwo = sync.OnceValues(newTestKey)
)

func newTestKey() (testKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return testKey{}, err
	}
	return testKey{key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))}, nil
}

func rsaKey(t *testing.T, which func() (testKey, error)) (*rsa.PrivateKey, string) {
	t.Helper()
	k, err := which()
	if err != nil {
		t.Fatal(err)
	}
	return k.key, k.pem
}

// merged is base with changes; nil takes a field away.
func merged(base, changes map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, base)
	for k, v := range changes {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}
