package openstack

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// The limiter's names of the requests, after the API's own operations.
const (
	actionToken    = "CreateToken"
	actionVerify   = "ListServers"
	actionList     = "ListServersDetails"
	actionShow     = "ShowServer"
	actionPassword = "ShowServerPassword"
	actionClear    = "DeleteServerPassword"
	actionKeypair  = "ShowKeypair"
)

// The permissions of the vendors' IAM; those of plain OpenStack are in policies.
const (
	permissionList     = "ecs:servers:list"
	permissionShow     = "ecs:servers:get"
	permissionPassword = "ecs:serverPasswords:manage"
	permissionKeypair  = "ecs:serverKeypairs:get"
)

const userAgent = "vault-plugin-secrets-cloudpw"

// provider is one connection. All state that changes is in sessions and refused, so it is safe for
// concurrent use.
type provider struct {
	family       family
	compute      *gophercloud.ProviderClient
	identity     *gophercloud.ProviderClient
	identityBase string // ends in /v3
	sessions     sessions
	rotator      rotator
	limiter      cloud.Limiter
	timeout      time.Duration
	secrets      redactor
	// applicationCredential is the id of the one in use; empty if there is none.
	applicationCredential string
	check                 hint.Hint // what to type to see which permissions the credentials have
	// refused counts the microversions that the cloud refused, see withMicroversion.
	refused atomic.Int32
}

// What the family's clouds can do.
var (
	_ cloud.Provider               = (*provider)(nil)
	_ cloud.InitialPasswordReader  = (*provider)(nil)
	_ cloud.InitialPasswordClearer = (*provider)(nil)
	_ cloud.CredentialRotator      = (*provider)(nil)
	_ cloud.PermissionChecker      = (*provider)(nil)
)

// newProvider makes a provider of the family. It sends nothing.
func newProvider(f family, cfg cloud.Config) (*provider, error) {
	if err := f.descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil || cfg.Limiter == nil {
		return nil, errors.New("openstack: a provider needs an HTTP client and a limiter")
	}
	p := &provider{
		family:       f,
		compute:      apiClient(cfg.HTTPClient),
		identity:     apiClient(cfg.HTTPClient),
		identityBase: f.identityBase(cfg),
		limiter:      cfg.Limiter,
		timeout:      cfg.RequestTimeout,
		secrets:      redactor{cfg.Text(cloud.SecretKey), cfg.Text(fieldPassword), cfg.Text(fieldApplicationCredentialSecret)},

		applicationCredential: cfg.Text(fieldApplicationCredentialID),
		check:                 cfg.CheckHint(),
	}
	if cfg.Text(cloud.AccessKey) == "" {
		p.sessions = newTokenSessions(p.identityService(), f, cfg)
		p.rotator = noRotation{}
		if f.applicationCredentials {
			p.rotator = &applicationCredentials{provider: p, used: cfg.Text(fieldApplicationCredentialID)}
		}
		return p, nil
	}
	style := cfg.InForce(f.signatureStyle())
	signWith := func(projectID string) *signing.Transport {
		return &signing.Transport{
			AccessKey: cfg.Text(cloud.AccessKey),
			SecretKey: cfg.Text(cloud.SecretKey),
			ProjectID: projectID,
			Style:     style,
			Next:      transportOf(cfg.HTTPClient),
			Now:       time.Now,
		}
	}
	p.compute.HTTPClient.Transport = signWith(cfg.Text(fieldProjectID))
	p.identity.HTTPClient.Transport = signWith("")
	p.sessions = signedSession{projectID: cfg.Text(fieldProjectID), endpoint: withProject(f.computeBase(cfg), cfg.Text(fieldProjectID))}
	p.rotator = &accessKeys{provider: p, used: cfg.Text(cloud.AccessKey)}
	return p, nil
}

// identityService is a client of the identity service, for paths below /v3/.
func (p *provider) identityService() *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{ProviderClient: p.identity, Endpoint: p.identityBase + "/", Type: "identity"}
}

// apiClient makes a gophercloud client that sends each request once: without RetryFunc,
// RetryBackoffFunc and ReauthFunc it never repeats one.
func apiClient(shared *http.Client) *gophercloud.ProviderClient {
	client := &gophercloud.ProviderClient{HTTPClient: *shared}
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.UserAgent.Prepend(userAgent)
	return client
}

func transportOf(client *http.Client) http.RoundTripper {
	if client.Transport != nil {
		return client.Transport
	}
	return http.DefaultTransport
}

// do runs one request: session, limiter, time limit, translation. send must make exactly one request
// with the context and client it is given. A token that the cloud answers 401 to is renewed, and the
// request sent again, once; so is one that the cloud throttled, while a client waits.
func (p *provider) do(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	return cloud.RetryThrottled(ctx, func() error { return p.renewing(ctx, c, send) })
}

// renewing is do for a request that is not repeated when throttled.
func (p *provider) renewing(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	c = p.named(c)
	for renewed := false; ; renewed = true {
		s, err := p.sessions.get(ctx)
		if err != nil {
			return err
		}
		err = p.once(ctx, c, s, send)
		if err == nil {
			return nil
		}
		if a, ok := answerOf(err); !renewed && ok && a.status == http.StatusUnauthorized && p.sessions.renewable(s) {
			continue
		}
		return translate(c, err, append(redactor{s.token}, p.secrets...))
	}
}

// named completes a call with what its errors need to know of the connection.
func (p *provider) named(c call) call {
	c.plain, c.applicationCredential, c.check = p.family.plain, p.applicationCredential, p.check
	if c.plain {
		c.permission = policies[c.action]
	}
	return c
}

func (p *provider) once(ctx context.Context, c call, s session, send func(context.Context, *gophercloud.ServiceClient) error) error {
	if err := p.limiter.Wait(ctx, c.action); err != nil {
		return err
	}
	return p.exchange(ctx, c, s, send)
}

// exchange sends a request for which nothing is waited for any more.
func (p *provider) exchange(ctx context.Context, c call, s session, send func(context.Context, *gophercloud.ServiceClient) error) error {
	ctx, cancel := withTimeout(ctx, p.timeout)
	defer cancel()
	client := &gophercloud.ServiceClient{ProviderClient: p.compute, Endpoint: s.endpoint, Type: serviceCompute}
	switch {
	case c.identity:
		client = p.identityService()
	case c.image:
		client.Endpoint, client.Type = s.imageEndpoint, "image"
	}
	if s.token != "" {
		client.MoreHeaders = map[string]string{"X-Auth-Token": s.token}
	}
	return send(ctx, client)
}

func withTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// Verify implements cloud.Provider. Listing one server checks the credentials, the region and the
// project at once.
func (p *provider) Verify(ctx context.Context) error {
	return p.do(ctx, call{action: actionVerify, permission: permissionList},
		func(ctx context.Context, client *gophercloud.ServiceClient) error {
			_, err := readPage(ctx, servers.ListSimple(client, servers.ListOpts{Limit: 1}))
			return err
		})
}

// ValidateInstanceID implements cloud.Provider: instance ids are lower-case UUIDs.
func (p *provider) ValidateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused,
			"instance id: must be a lower-case UUID such as 05184ba3-00ba-4fbc-b7a2-03b62b884931; the cloud's console shows it as the server's ID")
	}
	return nil
}

// DefaultUsername implements cloud.Provider. Plain OpenStack does not tell the platform unless the
// metadata do; since only Windows guests deliver passwords, Windows is what it is taken for.
func (p *provider) DefaultUsername(instance cloud.Instance) string {
	if p.family.plain && instance.LoginUser != "" {
		return instance.LoginUser
	}
	if instance.Platform == cloud.Windows || p.family.plain && instance.Platform == "" {
		return "Administrator"
	}
	return "root"
}

// PasswordRules implements cloud.Provider with the rules that Huawei's reset API documents for both
// platforms (8 to 26 characters of three classes); OTC shares them.
func (p *provider) PasswordRules(instance cloud.Instance) password.Rules {
	rules := password.Rules{
		MinLength:              8,
		MaxLength:              26,
		MinClasses:             3,
		Special:                "!@%-_=+[]:./?",
		ForbidUsername:         true,
		ForbidUsernameReversed: true,
	}
	if instance.Platform == cloud.Windows {
		rules.ForbidUsernameRun = 3
	}
	return rules
}
