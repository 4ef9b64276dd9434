package contract

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

const (
	// operationTime is how long an operation takes on the simulator's clock, which the checks move. It is less than a server
	// may take to begin with a change.
	operationTime = 3 * time.Minute
	// oldPassword is what the default user of a scene's servers has at first. No cloud's rules matter to it.
	oldPassword = "Old-Password-of-the-server-1"
)

// scene is a simulated cloud of its own with the provider of a subject.
type scene struct {
	subject  Subject
	cloud    model.Cloud
	sim      *cloudsim.Sim
	world    *model.World
	creds    cloudsim.Credentials
	cfg      cloud.Config
	limiter  *countingLimiter
	provider cloud.Provider
	method   cloud.PasswordResetter
	action   string // of the request that carries the password, for limiters and meters
	logged   string // the same for the simulator
	order    int64  // the last one that a value was given
	names    int    // how many requests have one
}

func newScene(t *testing.T, subject Subject) *scene {
	t.Helper()
	s := &scene{subject: subject, cloud: cmp.Or(subject.Plays, model.Cloud(subject.Descriptor.Name)), limiter: &countingLimiter{}}
	s.sim = cloudsim.Start(t, cloudsim.Options{
		TLS: true, Options: model.Options{OperationTime: operationTime, RateLimits: map[string]int{}},
		Azure: func(o *azureapi.Options) { o.Limits = map[string]azureapi.Limit{} },
	})
	s.world = s.sim.World()
	seeded, err := s.sim.Seed(cloudsim.SeedOptions{NoServers: true})
	if err != nil {
		t.Fatal(err)
	}
	s.creds = seeded[s.cloud]
	s.cfg = cloud.Config{
		Provider: subject.Descriptor.Name,
		Values: cloud.Values{
			"region": s.creds.Region, "access_key": s.creds.AccessKey, "secret_key": s.creds.SecretKey,
			"application_credential_id": s.creds.AppCredentialID, "application_credential_secret": s.creds.AppCredential,
			"tenant_id": s.creds.TenantID, "client_id": s.creds.ClientID, "client_secret": s.creds.ClientSecret,
			"subscription_id": s.creds.SubscriptionID,
		},
		Endpoints: map[string]string{}, RequestTimeout: 30 * time.Second, HTTPClient: newClient(t, s.sim.CAPEM()), Limiter: s.limiter,
	}
	if s.creds.ProjectID != "" && s.creds.AccessKey != "" {
		s.cfg.Values = s.cfg.With(cloud.Values{"project_id": s.creds.ProjectID})
	}
	if identity := s.sim.URL(s.cloud, "identity"); identity != "" {
		s.cfg.Values = s.cfg.With(cloud.Values{"auth_url": identity + "/v3"}) // the catalogue there tells the rest
	} else {
		for _, service := range subject.Descriptor.EndpointKeys {
			s.cfg.Endpoints[service] = s.sim.URL(s.cloud, service)
		}
	}
	s.provider = s.connect(t, s.cfg)
	s.method = s.resetter(t, s.provider)
	s.action = s.method.ResetTraits().Action
	s.logged = cmp.Or(subject.Logged, s.action)
	s.order = time.Now().Unix()
	return s
}

// nextOrder is larger than the order of every value before it.
func (s *scene) nextOrder() int64 {
	s.order++
	return s.order
}

// name is an own id that no request had before, as long as one may be; "" where the method takes none.
func (s *scene) name() string {
	if !s.method.ResetTraits().OwnIDs {
		return ""
	}
	s.names++
	return fmt.Sprintf("Contract-%055d", s.names)
}

func newClient(t *testing.T, caPEM string) *http.Client {
	t.Helper()
	client, err := cloud.NewHTTPClient(caPEM, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// connect makes a provider of the subject.
func (s *scene) connect(t *testing.T, cfg cloud.Config) cloud.Provider {
	t.Helper()
	newProvider := s.subject.New
	switch {
	case s.subject.InProcess != nil:
		newProvider = func(cfg cloud.Config) (cloud.Provider, error) { return s.subject.InProcess(cfg, s.world) }
	case newProvider == nil:
		newProvider = s.subject.Descriptor.New
	}
	p, err := newProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// resetter is the subject's method of a provider.
func (s *scene) resetter(t *testing.T, p cloud.Provider) cloud.PasswordResetter {
	t.Helper()
	all, ok := p.(cloud.PasswordResetters)
	if !ok {
		t.Fatalf("%T has no reset methods", p)
	}
	r := all.Resetter(s.subject.Method)
	if r == nil {
		t.Fatalf("%T does not know its method %q", p, s.subject.Method)
	}
	return r
}

// other is the subject's method by a connection that differs in one thing.
func (s *scene) other(t *testing.T, change func(*cloud.Config)) cloud.PasswordResetter {
	t.Helper()
	cfg := s.cfg
	change(&cfg)
	return s.resetter(t, s.connect(t, cfg))
}

// server adds a running server whose default user has oldPassword.
func (s *scene) server(t *testing.T, platform string) string {
	t.Helper()
	added, err := s.world.AddServer(model.Server{
		Cloud: s.cloud, AccountID: s.creds.AccountID, ProjectID: s.creds.ProjectID, Region: s.creds.Region,
		Platform: platform, InitialPassword: oldPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	if platform == model.Linux {
		if err := s.world.SetLogin(added.ID, added.DefaultUser(), oldPassword); err != nil {
			t.Fatal(err)
		}
	}
	return added.ID
}

// reset makes a reset of a new server's default user, as the core would: checked, prepared, and with a
// password by the provider's rules.
func (s *scene) reset(t *testing.T, platform string) cloud.Reset {
	t.Helper()
	return s.resetOf(t, s.server(t, platform))
}

func (s *scene) resetOf(t *testing.T, id string) cloud.Reset {
	t.Helper()
	found, err := s.provider.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d instances, %v", len(found), err)
	}
	method, _ := s.subject.Descriptor.ResetMethod(s.subject.Method)
	server, _ := s.world.Server(id)
	// Not DefaultUsername: a cloud that does not tell the platform has one for both.
	r := cloud.Reset{
		InstanceIDs: []string{id}, Username: server.DefaultUser(), Platform: found[0].Platform, ForceStop: method.MayStop,
		Order: s.nextOrder(), NotAfter: time.Now().Add(cloud.OrderDeadline), Name: s.name(),
	}
	if c, ok := s.method.(cloud.ResetChecker); ok {
		if err := c.CheckReset(found[0], r.Username); err != nil {
			t.Fatalf("its default user is refused: %v", err)
		}
	}
	if err := s.prepare(t, &r); err != nil {
		t.Fatal(err)
	}
	if r.Password, err = password.Generate(s.provider.PasswordRules(found[0]), r.Username, 0); err != nil {
		t.Fatal(err)
	}
	return r
}

// prepare does what the method needs before a password can be sent, while the simulator's clock goes on.
func (s *scene) prepare(t *testing.T, r *cloud.Reset) (err error) {
	t.Helper()
	p, ok := s.method.(cloud.ResetPreparer)
	if !ok || !p.Prepares(r.Platform) {
		return nil
	}
	s.whileTimePasses(func() { r.Prepared, err = p.PrepareReset(t.Context(), *r) })
	return err
}

// whileTimePasses does something that waits for operations or commands, while the simulator's clock goes on.
func (s *scene) whileTimePasses(do func()) {
	done := make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() {
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				if s.world.Stats().InFlight > 0 {
					s.world.Advance(operationTime)
				}
			case <-done:
				tick.Stop()
				return
			}
		}
	})
	do()
	close(done)
	clock.Wait()
}

// start sends a reset that the cloud is to accept, by a request of its own.
func (s *scene) start(t *testing.T, r cloud.Reset) cloud.ResetStarted {
	t.Helper()
	started, err := s.method.StartReset(t.Context(), s.named(r))
	switch {
	case err != nil:
		t.Fatal(err)
	case started.Done != s.subject.Synchronous:
		t.Fatalf("%+v, want Done to be %t", started, s.subject.Synchronous)
	case !started.Done && started.RequestID == "":
		t.Fatal("an accepted reset has no request id")
	}
	return started
}

// named is a reset by a request of its own.
func (s *scene) named(r cloud.Reset) cloud.Reset {
	r.Name = s.name()
	return r
}

// look asks for the record of a reset, or of an instance's latest operation. Its text tells no secret.
func (s *scene) look(t *testing.T, id, request string, secrets ...string) (cloud.ResetRecord, bool) {
	t.Helper()
	records, err := s.method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: request}})
	if err != nil {
		t.Fatalf("record of %s: %v", id, err)
	}
	r, ok := records[id]
	if len(records) > 1 || len(records) == 1 && !ok {
		t.Errorf("records of others: %+v", records)
	}
	s.checkRecord(t, r, secrets...)
	return r, ok
}

// checkRecord checks what holds for every record.
func (s *scene) checkRecord(t *testing.T, r cloud.ResetRecord, secrets ...string) {
	t.Helper()
	failed := r.State == cloud.OperationFailed
	switch {
	case failed != (r.Message != ""):
		t.Errorf("a failure, and nothing else, has a message: %+v", r)
	case r.Kind != "" && (!failed || r.Kind != cloud.Refused && r.Kind != cloud.PasswordRefused):
		t.Errorf("kind of a record: %+v", r)
	case r.State != cloud.OperationNone && r.OperationID == "":
		t.Errorf("an operation without an id: %+v", r)
	}
	s.holdsNone(t, r.Message, secrets...)
	holdsNoHash(t, r.Message)
}

// settle lets everything end that goes on.
func (s *scene) settle() { s.world.Advance(2 * operationTime) }

// has reports whether a password is the user's in the guest, running or not.
func (s *scene) has(id, user, secret string) bool {
	server, ok := s.world.Server(id)
	return ok && server.HasPassword(user, secret)
}

// applied reports whether a reset's password is set on its first instance.
func (s *scene) applied(r cloud.Reset) bool { return s.has(r.InstanceIDs[0], r.Username, r.Password) }

// checkApplied lets everything end and checks whether a reset has set its password.
func (s *scene) checkApplied(t *testing.T, r cloud.Reset, want bool) {
	t.Helper()
	s.settle()
	if got := s.applied(r); got != want {
		t.Errorf("the password is set: %t, want %t", got, want)
	}
	if !want && !s.has(r.InstanceIDs[0], r.Username, oldPassword) {
		t.Error("the old password is gone")
	}
}

// checkLogin tries passwords over SSH.
func (s *scene) checkLogin(t *testing.T, id, user, good, bad string) {
	t.Helper()
	if err := s.sim.Login(t.Context(), id, user, good); err != nil {
		t.Errorf("log in with the password: %v", err)
	}
	if err := s.sim.Login(t.Context(), id, user, bad); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("log in with another password: %v, want a refusal", err)
	}
}

// mark is where the simulator's log stands.
func (s *scene) mark() int {
	log := s.world.Log(0)
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].Seq
}

// sent counts the requests since a mark that carry a password.
func (s *scene) sent(mark int) int {
	n := 0
	for _, e := range s.world.Log(mark) {
		if e.Action == s.logged {
			n++
		}
	}
	return n
}

func (s *scene) fault(t *testing.T, f model.Fault) {
	t.Helper()
	f.Cloud, f.Action = s.cloud, s.logged
	if _, err := s.world.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

// permission is the pattern by which the right to an action of the limiter's is denied.
func (s *scene) permission(action string) string {
	if action == s.action && s.subject.Permission != "" {
		return s.subject.Permission
	}
	return "*:" + action
}

// wantKind checks that an error is a provider's, of one of the kinds, and tells none of the secrets, which
// are those of the connection and the given ones.
func (s *scene) wantKind(t *testing.T, err error, kinds []cloud.Kind, secrets ...string) {
	t.Helper()
	var e *cloud.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v is a %T, want *cloud.Error", err, err)
		return
	}
	if !slices.Contains(kinds, e.Kind) {
		t.Errorf("kind %q, want one of %q: %v", e.Kind, kinds, err)
	}
	if s.subject.Direct && e.Kind == cloud.Unknown && !errors.Is(err, cloud.ErrOneServer) {
		t.Errorf("one server's silence is called the connection's, which would be paused: %v", err)
	}
	if e.Message == "" {
		t.Errorf("error without a message: %+v", *e)
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		s.holdsNone(t, next.Error(), secrets...)
		holdsNoHash(t, next.Error())
	}
}

// certain are the kinds of an error that proves that the request did nothing and that it was not for want
// of a connection.
var certain = []cloud.Kind{cloud.NotFound, cloud.Refused, cloud.PasswordRefused}

// holdsNone checks that a text has none of the secrets in it, in any way of writing.
func (s *scene) holdsNone(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, s.creds.SecretKey, s.creds.AppCredential, s.creds.ClientSecret) {
		if secret == "" {
			continue
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{
			secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(text, form) {
				t.Errorf("a secret stands in %q", text)
			}
		}
	}
}

// holdsNoHash checks that a text has no hash in the form of crypt(3) in it.
func holdsNoHash(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "$6$") {
		t.Errorf("a hash stands in %q", text)
	}
}

// until waits for what another goroutine brings about.
func until(t *testing.T, done func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Error("waited in vain")
			return
		}
	}
}

// countingLimiter counts the waits by action, and keeps what it is told of requests.
type countingLimiter struct {
	mu    sync.Mutex
	waits map[string]int
	took  []measured
}

// measured is a request that a provider has told a meter of.
type measured struct {
	action string
	err    error
}

// Took implements cloud.Meter.
func (l *countingLimiter) Took(action string, _ time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, measured{action, err})
}

// since are the requests that the meter was told of after the first n.
func (l *countingLimiter) since(n int) []measured {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.took[n:])
}

// Wait implements cloud.Limiter.
func (l *countingLimiter) Wait(ctx context.Context, action string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[string]int{}
	}
	l.waits[action]++
	return cloud.Unlimited{}.Wait(ctx, action)
}

// total is the number of waits.
func (l *countingLimiter) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, waits := range l.waits {
		n += waits
	}
	return n
}
