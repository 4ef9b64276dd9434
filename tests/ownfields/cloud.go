package ownfields

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// Name is the value of a connection's provider field.
const Name = "nimbus"

var clientForm = regexp.MustCompile(`^client-[0-9]+$`)

// The provider's own fields. Nobody else has them, and no other package names them.
var (
	fieldClient = cloud.Field{
		Name: "nimbus_client", Kind: cloud.FieldIdentity, NamesCredential: true, Check: checkClient,
		Required:    cloud.RequiredAlways,
		Description: "Name of the API client.",
	}
	fieldToken = cloud.Field{
		Name: "nimbus_token", Label: "Client's token", Kind: cloud.FieldSecret, Generated: true,
		Required:    "with nimbus_client",
		Description: "Token of the API client.",
	}
)

func checkClient(value string) error {
	if !clientForm.MatchString(value) {
		return errors.New("must be client- and a number")
	}
	return nil
}

// Cloud is a cloud in memory that knows the tokens of its clients. It is safe for concurrent use.
type Cloud struct {
	mu     sync.Mutex
	made   int
	tokens map[string]string
}

// NewCloud makes a cloud with one client, client-0.
func NewCloud(token string) *Cloud { return &Cloud{tokens: map[string]string{"client-0": token}} }

// Clients lists the clients that the cloud has.
func (c *Cloud) Clients() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.tokens {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Accepts reports whether a client's token is the right one.
func (c *Cloud) Accepts(client, token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return token != "" && c.tokens[client] == token
}

// Descriptor describes the provider to the backend.
func (c *Cloud) Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:  Name,
		Title: "Nimbus",
		New: func(cfg cloud.Config) (cloud.Provider, error) {
			return &provider{cloud: c, client: cfg.Text(fieldClient), token: cfg.Text(fieldToken), limiter: cfg.Limiter}, nil
		},
		Fields: []cloud.Field{fieldClient, fieldToken},
		Validate: func(cfg cloud.Config) error {
			switch {
			case cfg.Text(fieldClient) == "":
				return errors.New("nimbus_client: required, for example client-7")
			case cfg.Text(fieldToken) == "":
				return errors.New("nimbus_token: required with nimbus_client")
			}
			return nil
		},
		DefaultRequestsPerSecond: 5,
		RateSource:               "this cloud has no limit",
	}
}

type provider struct {
	cloud         *Cloud
	client, token string
	limiter       cloud.Limiter
}

var (
	_ cloud.Provider          = (*provider)(nil)
	_ cloud.CredentialRotator = (*provider)(nil)
	_ cloud.PermissionChecker = (*provider)(nil)
	_ cloud.AccountTeller     = (*provider)(nil)
)

// call makes one request with the connection's token.
func (p *provider) call(ctx context.Context, action string) error {
	if err := p.limiter.Wait(ctx, action); err != nil {
		return err
	}
	if !p.cloud.Accepts(p.client, p.token) {
		return cloud.Errorf(cloud.Denied, "%s: client %s does not exist, or its token is another one", action, p.client)
	}
	return nil
}

func (p *provider) Verify(ctx context.Context) error { return p.call(ctx, "WhoAmI") }

func (p *provider) CloudAccount(ctx context.Context) (string, error) {
	return "nimbus-account", p.call(ctx, "WhoAmI")
}

func (p *provider) DescribeInstances(ctx context.Context, _ []string) ([]cloud.Instance, error) {
	return nil, p.call(ctx, "ListServers")
}

func (p *provider) FindInstances(ctx context.Context, _ map[string]string) ([]cloud.Instance, error) {
	return nil, p.call(ctx, "ListServers")
}

func (p *provider) ValidateInstanceID(string) error       { return nil }
func (p *provider) DefaultUsername(cloud.Instance) string { return "root" }
func (p *provider) PasswordRules(cloud.Instance) password.Rules {
	return password.Rules{MinLength: 8, MaxLength: 64}
}
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	if err := p.call(ctx, "ListServers"); err != nil {
		return nil, err
	}
	return []cloud.Permission{{Action: "nimbus:ListServers", Purpose: "find servers", Required: true, Verdict: cloud.PermissionGranted}}, nil
}

func (p *provider) OwnCredentials(ctx context.Context) ([]cloud.OwnCredential, error) {
	if err := p.call(ctx, "ListClients"); err != nil {
		return nil, err
	}
	var own []cloud.OwnCredential
	for _, name := range p.cloud.Clients() {
		own = append(own, cloud.OwnCredential{ID: name, InUse: name == p.client})
	}
	return own, nil
}

func (p *provider) CheckRotation() error { return nil }

func (p *provider) CreateCredential(ctx context.Context) (cloud.Values, error) {
	if err := p.call(ctx, "CreateClient"); err != nil {
		return nil, err
	}
	c := p.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	client, token := fmt.Sprintf("client-%d", c.made), fmt.Sprintf("made-token-%d", c.made)
	c.tokens[client] = token
	return cloud.Values{fieldClient.Name: client, fieldToken.Name: token}, nil
}

func (p *provider) DeleteCredential(ctx context.Context, id string) error {
	if err := p.call(ctx, "DeleteClient"); err != nil {
		return err
	}
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	delete(p.cloud.tokens, id)
	return nil
}
