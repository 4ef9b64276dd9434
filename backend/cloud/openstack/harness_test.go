package openstack

import (
	"cmp"
	"context"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

const (
	testRegion     = "eu-de"
	testDomain     = "OTC-EU-DE-00000000001000000000"
	testUser       = "cloudpw"
	testPassword   = "keystone-password-7$x"
	testProject    = "eu-de_prod"
	initialSecret  = "Guest-made-Pa55word"
	readyAfter     = 5 * time.Minute
	requestTimeout = 10 * time.Second
)

// access is a way of talking to one of the simulated clouds.
type access struct {
	name   string
	family family
	cloud  model.Cloud
	change func(*cloud.Config)
	// options of the simulated cloud; may be nil.
	options func(*novaapi.Options)
}

func useToken(c *cloud.Config) {
	c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "project_id": ""})
	c.Values = c.With(cloud.Values{"username": testUser, "password": testPassword, "user_domain_name": testDomain,
		"project_name": testProject})
}

// usePlain leaves everything but Keystone's address to the catalogue.
func usePlain(c *cloud.Config) {
	c.Values = c.With(cloud.Values{"auth_url": c.Endpoints[endpointIAM] + "/v3"})
	c.Values, c.Endpoints = c.With(cloud.Values{"access_key": "", "secret_key": "", "project_id": ""}), map[string]string{}
}

func usePlainUser(c *cloud.Config) {
	usePlain(c)
	c.Values = c.With(cloud.Values{"application_credential_id": "", "application_credential_secret": ""})
	c.Values = c.With(cloud.Values{"username": testUser, "password": testPassword, "user_domain_name": testDomain,
		"project_name": testProject})
}

var accesses = []access{
	{name: "huawei signed", family: huawei(), cloud: model.HuaweiCloud},
	{name: "otc signed", family: telekom(), cloud: model.OpenTelekomCloud},
	{name: "otc signed, v2", family: telekom(), cloud: model.OpenTelekomCloud,
		change: func(c *cloud.Config) { c.Endpoints[endpointECS] += "/v2" }},
	{name: "huawei token by project name", family: huawei(), cloud: model.HuaweiCloud, change: useToken},
	{name: "huawei token by project id, auth_url", family: huawei(), cloud: model.HuaweiCloud, change: func(c *cloud.Config) {
		id := c.Text(fieldProjectID)
		useToken(c)
		c.Values = c.With(cloud.Values{"project_id": id, "project_name": "", "auth_url": c.Endpoints[endpointIAM] + "/v3/"})
		delete(c.Endpoints, endpointIAM)
	}},
	{name: "otc token by project name", family: telekom(), cloud: model.OpenTelekomCloud, change: useToken},
	{name: "otc token by project id", family: telekom(), cloud: model.OpenTelekomCloud, change: func(c *cloud.Config) {
		id := c.Text(fieldProjectID)
		useToken(c)
		c.Values = c.With(cloud.Values{"project_id": id, "project_name": ""})
	}},
	{name: "otc token, v2, auth_url", family: telekom(), cloud: model.OpenTelekomCloud, change: func(c *cloud.Config) {
		useToken(c)
		c.Values = c.With(cloud.Values{"auth_url": c.Endpoints[endpointIAM] + "/v3/"})
		delete(c.Endpoints, endpointIAM)
		c.Endpoints[endpointECS] += "/v2/"
	}},
	{name: "openstack user", family: plainOpenStack(), cloud: model.OpenStack, change: usePlainUser},
	{name: "openstack application credential", family: plainOpenStack(), cloud: model.OpenStack, change: usePlain},
	{name: "openstack, project in the catalogue", family: plainOpenStack(), cloud: model.OpenStack, change: usePlain,
		options: func(o *novaapi.Options) {
			o.CatalogURL = func(base, project string) string { return base + "/v2.1/" + project }
		}},
	{name: "openstack, no version in the catalogue", family: plainOpenStack(), cloud: model.OpenStack, change: usePlainUser,
		options: func(o *novaapi.Options) {
			o.CatalogURL = func(base, _ string) string { return base + "/" }
		}},
	{name: "openstack, endpoint, no region", family: plainOpenStack(), cloud: model.OpenStack, change: func(c *cloud.Config) {
		compute := c.Endpoints[endpointECS]
		usePlain(c)
		c.Values, c.Endpoints[endpointCompute] = c.With(cloud.Values{"region": ""}), compute
	}},
	{name: "openstack, v2", family: plainOpenStack(), cloud: model.OpenStack, change: func(c *cloud.Config) {
		compute, project := c.Endpoints[endpointECS], c.Text(fieldProjectID)
		usePlain(c)
		c.Endpoints[endpointCompute] = compute + "/v2/" + project
	}},
	{name: "openstack, old microversions", family: plainOpenStack(), cloud: model.OpenStack, change: usePlain,
		options: func(o *novaapi.Options) { o.MaxMicroversion = 15 }},
	{name: newestNova, family: plainOpenStack(), cloud: model.OpenStack, change: usePlain,
		options: func(o *novaapi.Options) { o.MaxMicroversion = 98 }},
}

// newestNova is the access to a cloud that shows the properties of a server's image. The others do not.
const newestNova = "openstack, newest microversions"

func accessNamed(t *testing.T, name string) access {
	t.Helper()
	for _, a := range accesses {
		if a.name == name {
			return a
		}
	}
	t.Fatalf("no access %q", name)
	return access{}
}

// launchKey makes the private half of every simulated cloud's key pair once: that takes longer than
// the tests.
var launchKey = sync.OnceValues(func() (*password.PrivateKey, error) { return password.GeneratePrivateKey(2048) })

// simulation is a simulated cloud with one account, project, user, access key and key pair.
type simulation struct {
	*model.World
	access  access
	cloud   *novaapi.Cloud
	compute *httptest.Server
	account model.Account
	project model.Project
	user    model.User
	key     model.AccessKey     // none on OpenStack
	app     model.AppCredential // on OpenStack only
	private *password.PrivateKey
	limiter *recordingLimiter
	cfg     cloud.Config
}

func simulate(t *testing.T, a access, options novaapi.Options) *simulation {
	t.Helper()
	world := model.NewWorld(model.Options{Seed: 1})
	t.Cleanup(world.Close)
	options.Cloud = a.cloud
	options.MaxMicroversion = cmp.Or(options.MaxMicroversion, 60)
	if a.options != nil {
		a.options(&options)
	}
	var computeURL func() string
	options.ComputeURL = func() string { return computeURL() }
	sim, err := novaapi.New(world, options)
	if err != nil {
		t.Fatal(err)
	}
	s := &simulation{World: world, access: a, cloud: sim, limiter: &recordingLimiter{}}
	computeURL = func() string { return s.compute.URL }
	s.compute = httptest.NewServer(sim.Compute())
	t.Cleanup(s.compute.Close)
	identity := httptest.NewServer(sim.Identity())
	t.Cleanup(identity.Close)

	s.account = world.AddAccount(model.Account{Cloud: a.cloud, Name: testDomain, Regions: []string{testRegion}})
	s.project = world.AddProject(model.Project{Cloud: a.cloud, Name: testProject, AccountID: s.account.ID, Region: testRegion})
	s.user = world.AddUser(model.User{Cloud: a.cloud, Name: testUser, AccountID: s.account.ID, Password: testPassword})
	if a.cloud == model.OpenStack {
		s.app = world.AddAppCredential(model.AppCredential{
			Name: "cloudpw", Secret: "application-secret-3$y", UserID: s.user.ID, ProjectID: s.project.ID, Unrestricted: true,
		})
	} else {
		s.key = world.AddAccessKey(model.AccessKey{Cloud: a.cloud, AccountID: s.account.ID, UserID: s.user.ID})
	}
	if s.private, err = launchKey(); err != nil {
		t.Fatal(err)
	}
	pair := model.KeyPair{Cloud: a.cloud, AccountID: s.account.ID, Name: "kp 1"}
	if _, err := world.ImportPEM(pair, string(s.private.PEM())); err != nil {
		t.Fatal(err)
	}
	client, err := cloud.NewHTTPClient("", requestTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	s.cfg = cloud.Config{
		Provider: a.family.name,
		Values: cloud.Values{
			"region": testRegion, "project_id": s.project.ID, "access_key": s.key.ID, "secret_key": s.key.Secret,
			"application_credential_id": s.app.ID, "application_credential_secret": s.app.Secret,
		},
		Endpoints:      map[string]string{endpointECS: s.compute.URL, endpointIAM: identity.URL},
		RequestTimeout: requestTimeout, HTTPClient: client, Limiter: s.limiter,
	}
	if a.change != nil {
		a.change(&s.cfg)
	}
	return s
}

// provider makes a provider, with a change to the configuration if there is one.
func (s *simulation) provider(t *testing.T, change func(*cloud.Config)) *provider {
	t.Helper()
	cfg := s.cfg
	cfg.Endpoints = maps.Clone(cfg.Endpoints)
	if change != nil {
		change(&cfg)
	}
	p, err := newProvider(s.access.family, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// server adds a Windows server whose guest delivers its password after readyAfter.
func (s *simulation) server(t *testing.T, change func(*model.Server)) model.Server {
	t.Helper()
	added := model.Server{
		Cloud: s.access.cloud, AccountID: s.account.ID, ProjectID: s.project.ID, Region: testRegion,
		Platform: model.Windows, KeyName: "kp 1", InitialPassword: initialSecret, ReadyAfter: readyAfter,
	}
	if change != nil {
		change(&added)
	}
	added, err := s.AddServer(added)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// deny takes permissions from the connection's user, by the simulator's names of the actions.
func (s *simulation) deny(actions ...string) {
	user := s.user
	for _, action := range actions {
		for _, service := range []string{"ecs", "iam", "compute", "identity"} {
			user.Deny = append(user.Deny, service+":"+action)
		}
	}
	s.AddUser(user)
}

func (s *simulation) fault(t *testing.T, f model.Fault) {
	t.Helper()
	if _, err := s.AddFault(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.ClearFaults)
}

// requests counts the log's entries of an action.
func (s *simulation) requests(action string) int {
	n := 0
	for _, entry := range s.Log(0) {
		if entry.Action == action {
			n++
		}
	}
	return n
}

// recordingLimiter counts waits by action, and fails them once err is set.
type recordingLimiter struct {
	mu    sync.Mutex
	waits map[string]int
	err   error
}

func (l *recordingLimiter) Wait(ctx context.Context, action string) error {
	if err := (cloud.Unlimited{}).Wait(ctx, action); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[string]int{}
	}
	l.waits[action]++
	return l.err
}

func (l *recordingLimiter) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.waits)
}

// checkError checks kind and part of the text of an error, and that it tells none of the secrets.
func (s *simulation) checkError(t *testing.T, err error, kind cloud.Kind, text string) {
	t.Helper()
	if cloud.KindOf(err) != kind {
		t.Errorf("kind is %q, want %q: %v", cloud.KindOf(err), kind, err)
		return
	}
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("%q does not say %q", err, text)
	}
	for _, secret := range []string{s.key.Secret, s.app.Secret, testPassword, initialSecret} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}
