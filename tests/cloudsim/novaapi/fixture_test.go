package novaapi

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// launchKey is the private half of the fixtures' key pair; making one takes a
// noticeable part of a second.
var launchKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// fixture is one cloud with an account of two projects, behind two servers.
type fixture struct {
	world             *model.World
	cloud             *Cloud
	account           model.Account
	project, other    model.Project
	user              model.User
	key               model.AccessKey
	identity, compute string // base URLs
	private           *rsa.PrivateKey

	mu     sync.Mutex
	offset time.Duration // of the wall clock
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.offset)
}

// pass moves the wall clock on.
func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offset += d
}

func newFixture(t *testing.T, name model.Cloud, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{}
	f.world = model.NewWorld(model.Options{Now: f.now})
	t.Cleanup(f.world.Close)
	f.account = f.world.AddAccount(model.Account{Cloud: name, Name: "OTC00000000001000000001", Regions: []string{"eu-de"}})
	f.project = f.world.AddProject(model.Project{Cloud: name, Name: "eu-de", AccountID: f.account.ID, Region: "eu-de"})
	f.other = f.world.AddProject(model.Project{Cloud: name, Name: "eu-de_other", AccountID: f.account.ID, Region: "eu-de"})
	f.user = f.world.AddUser(model.User{Cloud: name, Name: "vault", AccountID: f.account.ID, Password: "user-Secret.1",
		ProjectIDs: []string{f.project.ID}})
	f.key = f.world.AddAccessKey(model.AccessKey{Cloud: name, AccountID: f.account.ID, UserID: f.user.ID})
	var err error
	if f.private, err = launchKey(); err != nil {
		t.Fatal(err)
	}
	if _, err = f.world.ImportKeyPair(model.KeyPair{Cloud: name, AccountID: f.account.ID, Name: "ops"}, &f.private.PublicKey); err != nil {
		t.Fatal(err)
	}
	opts := Options{Cloud: name, IdentityURL: func() string { return f.identity }, ComputeURL: func() string { return f.compute }}
	if change != nil {
		change(&opts)
	}
	if f.cloud, err = New(f.world, opts); err != nil {
		t.Fatal(err)
	}
	identity, compute := httptest.NewServer(f.cloud.Identity()), httptest.NewServer(f.cloud.Compute())
	t.Cleanup(identity.Close)
	t.Cleanup(compute.Close)
	f.identity, f.compute = identity.URL, compute.URL
	return f
}

// server adds a server to the fixture's project.
func (f *fixture) server(t *testing.T, s model.Server) model.Server {
	t.Helper()
	s.Cloud, s.AccountID, s.Region = f.project.Cloud, f.account.ID, "eu-de"
	if s.ProjectID == "" {
		s.ProjectID = f.project.ID
	}
	s, err := f.world.AddServer(s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// windows adds a Windows server whose password is there at once.
func (f *fixture) windows(t *testing.T) model.Server {
	t.Helper()
	return f.server(t, model.Server{Platform: model.Windows, KeyName: "ops"})
}

func (f *fixture) login() gophercloud.AuthOptions {
	return gophercloud.AuthOptions{
		IdentityEndpoint: f.identity + "/v3", Username: f.user.Name, Password: f.user.Password, DomainName: f.account.Name,
		Scope: &gophercloud.AuthScope{ProjectName: f.project.Name, DomainName: f.account.Name},
	}
}

// byToken is a real gophercloud client that came in through the catalogue.
func (f *fixture) byToken(t *testing.T, opts gophercloud.AuthOptions) (*gophercloud.ServiceClient, error) {
	t.Helper()
	provider, err := openstack.AuthenticatedClient(t.Context(), opts)
	if err != nil {
		return nil, err
	}
	return openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: "eu-de"})
}

// clearPassword deletes the cloud's copy of a server's initial password.
func clearPassword(t *testing.T, client *gophercloud.ServiceClient, id string) error {
	t.Helper()
	resp, err := client.Delete(t.Context(), client.ServiceURL("servers", id, "os-server-password"), nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (f *fixture) signer(dialect Dialect) *signer {
	return &signer{dialect: dialect, access: f.key.ID, secret: f.key.Secret, region: "eu-de", service: "ecs",
		project: f.project.ID, now: f.now}
}

// bySignature is a real gophercloud client whose requests s signs.
func (f *fixture) bySignature(s *signer) *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: s}},
		Endpoint:       f.compute + "/v2.1/" + f.project.ID + "/",
	}
}

// reply is an answer read to its end.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// get sends one request with the transport's authentication.
func get(t *testing.T, transport http.RoundTripper, method, url string, headers ...string) reply {
	t.Helper()
	return send(t, transport, method, url, "", headers...)
}

func send(t *testing.T, transport http.RoundTripper, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(text) > 0 && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/") {
		if err := json.Unmarshal(text, &out.body); err != nil {
			t.Fatalf("%s %s: %v in %q", method, url, err, text)
		}
	}
	return out
}

// want compares status and one value, whose place is a path of object names
// and list indexes with dots between them.
func (r reply) want(t *testing.T, status int, path, value string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.text)
	}
	if path == "" {
		return
	}
	if got := fmt.Sprint(r.at(path)); got != value {
		t.Errorf("%s is %q, want %q: %s", path, got, value, r.text)
	}
}

func (r reply) at(path string) any {
	var at any = r.body
	for name := range strings.SplitSeq(path, "/") {
		switch in := at.(type) {
		case map[string]any:
			at = in[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(in) {
				return nil
			}
			at = in[i]
		default:
			return nil
		}
	}
	return at
}
