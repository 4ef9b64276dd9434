package openstack

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// sender sends the requests of one connection. All state that changes is in sessions and refused, so it is safe for
// concurrent use.
type sender struct {
	family       family
	compute      *gophercloud.ProviderClient
	identity     *gophercloud.ProviderClient
	identityBase string // ends in /v3
	cocBase      string // of COC; empty where there is none, or none that requests may go to
	sessions     sessions
	limiter      cloud.Limiter
	timeout      time.Duration
	secrets      redactor
	// applicationCredential is the id of the one in use; empty if there is none.
	applicationCredential string
	agency                string    // that it works as; empty if as none
	signs                 bool      // its requests are signed
	refusal               string    // what to do where the cloud does not accept its temporary keys
	check                 hint.Hint // what to type to see which permissions the credentials have
	// refused counts the microversions that the cloud refused, see withMicroversion.
	refused atomic.Int32
}

// newSender makes the sender of a connection, which gets tokens or signs with keys, without an agency.
func newSender(f family, cfg cloud.Config, environment *ambient) *sender {
	d := &sender{
		family:       f,
		compute:      apiClient(cfg.HTTPClient),
		identity:     apiClient(cfg.HTTPClient),
		identityBase: f.identityBase(cfg),
		cocBase:      f.cocBase(cfg),
		limiter:      cfg.Limiter,
		timeout:      cfg.RequestTimeout,
		secrets: redactor{cfg.Text(cloud.SecretKey), cfg.Text(fieldSecurityToken), cfg.Text(fieldPassword),
			cfg.Text(fieldApplicationCredentialSecret)},

		applicationCredential: cfg.Text(fieldApplicationCredentialID),
		check:                 cfg.CheckHint(),
		refusal:               refusalOf(cfg),
	}
	switch {
	case cfg.Flag(cloud.AmbientCredentials):
		d.sign(cfg, &signedSessions{keys: cloud.NewRenewed(environment.fetch)})
	case cfg.Text(cloud.AccessKey) != "":
		d.sign(cfg, &signedSessions{keys: ownKeys(cfg), own: true})
	default:
		d.sessions = newTokenSessions(d.identityService(), f, cfg)
	}
	return d
}

// sign makes the sender sign its requests with the keys of these sessions.
func (d *sender) sign(cfg cloud.Config, s *signedSessions) {
	style, project := cfg.InForce(d.family.signatureStyle()), cfg.Text(fieldProjectID)
	signFor := func(projectID string) *signing.Transport {
		return &signing.Transport{ProjectID: projectID, Style: style, Next: transportOf(cfg.HTTPClient), Now: time.Now}
	}
	d.compute.HTTPClient.Transport = signFor(project)
	d.identity.HTTPClient.Transport = signFor("")
	s.projectID, s.endpoint = project, keystone.WithProject(d.family.computeBase(cfg), project)
	d.sessions, d.signs = s, true
}

// assuming is the sender of a connection that works as an agency, whose keys are got by requests of base.
func assuming(base *sender, cfg cloud.Config, environment *ambient) *sender {
	a := newAgency(cfg, base)
	d := newSender(base.family, cfg, environment)
	d.agency, d.refusal = a.String(), a.refusal()
	d.sign(cfg, &signedSessions{keys: cloud.NewRenewed(a.fetch)})
	return d
}

// do runs one request: session, limiter, time limit, translation. send must make exactly one request
// with the context and client it is given. A token that the cloud answers 401 to is renewed, and the
// request sent again, once; so is one that the cloud throttled, while a client waits.
func (d *sender) do(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	return cloud.RetryThrottled(ctx, func() error { return d.renewing(ctx, c, send) })
}

// renewing is do for a request that is not repeated when throttled.
func (d *sender) renewing(ctx context.Context, c call, send func(context.Context, *gophercloud.ServiceClient) error) error {
	c = d.named(c)
	for renewed := false; ; renewed = true {
		s, err := d.sessions.get(ctx)
		if err != nil {
			return err
		}
		err = d.once(ctx, c, s, send)
		if err == nil {
			return nil
		}
		if a, ok := answerOf(err); !renewed && ok && a.status == http.StatusUnauthorized && d.sessions.renewable(s) {
			continue
		}
		return translate(c, err, append(s.secrets(), d.secrets...))
	}
}

// named completes a call with what its errors need to know of the connection.
func (d *sender) named(c call) call {
	c.plain, c.applicationCredential, c.signed, c.refusal, c.check = d.family.plain, d.applicationCredential, d.signs, d.refusal, d.check
	if c.plain {
		c.permission = policies[c.action]
	}
	return c
}

func (d *sender) once(ctx context.Context, c call, s session, send func(context.Context, *gophercloud.ServiceClient) error) error {
	if err := d.limiter.Wait(ctx, c.action); err != nil {
		return err
	}
	return d.exchange(ctx, c, s, send)
}

// exchange sends a request for which nothing is waited for any more.
func (d *sender) exchange(ctx context.Context, c call, s session, send func(context.Context, *gophercloud.ServiceClient) error) error {
	ctx, cancel := withTimeout(ctx, d.timeout)
	defer cancel()
	client := &gophercloud.ServiceClient{ProviderClient: d.compute, Endpoint: s.endpoint, Type: keystone.Compute}
	switch {
	case c.identity:
		client = d.identityService()
	case c.image:
		client.Endpoint, client.Type = s.imageEndpoint, "image"
	case c.coc:
		client.Endpoint, client.Type = d.cocBase+"/v1/job/", "coc"
	}
	if d.signs {
		ctx = signing.WithKeys(ctx, s.keys)
	}
	if s.token != "" {
		client.MoreHeaders = map[string]string{"X-Auth-Token": s.token}
	}
	began := time.Now()
	err := send(ctx, client)
	var failure error
	if err != nil {
		failure = translate(c, err, append(s.secrets(), d.secrets...))
	}
	cloud.Measured(d.limiter, c.action, began, failure)
	return err
}

// identityService is a client of the identity service, for paths below /v3/.
func (d *sender) identityService() *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{ProviderClient: d.identity, Endpoint: d.identityBase + "/", Type: "identity"}
}
