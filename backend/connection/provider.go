package connection

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshlogin"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Connect makes the provider of a stored connection for the core. It sends nothing.
func (s *Store) Connect(ctx context.Context, name string, limiter cloud.Limiter) (*rotation.Connection, error) {
	c, d, err := s.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	provider, err := NewProvider(name, c, d, limiter, s.Answers, s.HostsOf(name, d))
	if err != nil {
		return nil, err
	}
	place := c.Place(d)
	trusted, err := s.IsTrusted(ctx, name, place)
	if err != nil {
		return nil, err
	}
	return &rotation.Connection{
		Place:   place,
		Trusted: trusted,
		Doubted: c.Doubted,

		Provider:          provider,
		Login:             s.login(name, c, d, limiter, provider),
		ProviderName:      c.Provider,
		RequestsPerSecond: c.Rate(d),
		RequestTimeout:    c.Timeout(),
		PasswordPolicy:    c.PasswordPolicy,
		ForgetGoneAfter:   c.ForgetsAfter(),
	}, nil
}

// login is the check method cloud.CheckSSH for a connection's servers; nil where they have no addresses.
func (s *Store) login(name string, c *Record, d cloud.Descriptor, limiter cloud.Limiter, provider cloud.Provider) cloud.PasswordChecker {
	if !d.HasCheckMethod(cloud.CheckSSH) {
		return nil
	}
	config := cloud.Config{Connection: name, Provider: c.Provider, RequestTimeout: c.Timeout(), Limiter: limiter, Hosts: s.HostsOf(name, d)}
	return sshlogin.New(config, provider, d.HasHosts)
}

// NewProvider makes a connection's provider, whose calls wait for the limiter and whose answers count among the mount's. hosts is what
// Store.HostsOf returns.
func NewProvider(name string, c *Record, d cloud.Descriptor, limiter cloud.Limiter, answers *cloud.Answers, hosts cloud.Hosts) (
	cloud.Provider, error,
) {
	if err := d.Check(c.CloudConfig()); err != nil {
		return nil, request.Invalidf("%s", err)
	}
	client, err := cloud.NewHTTPClient(c.CACertificate, c.Timeout(), d.LinkLocalDomains...)
	if err != nil {
		return nil, err
	}
	answers.Limit(client)
	config := c.CloudConfig()
	config.HTTPClient = client
	config.Limiter = limiter
	config.Connection = name
	config.Hosts = hosts
	return d.New(config)
}

// Told is what a cloud said when a connection was verified.
type Told struct {
	Account    string          // what it calls the account; "" where it does not tell
	Credential *ToldCredential // nil where it was not asked
}

// Verify asks the cloud whether the credentials of a connection that is not stored yet work. Of the
// instances in known, which the connection serves already, they must see one: else they belong to
// another cloud account.
//
// again repeats the write. The calls wait for the connection's limiter. It returns what the cloud
// tells of the account and of the credential.
func (s *Store) Verify(ctx context.Context, name string, c *Record, known []string, again hint.Hint) (says Told, err error) {
	d := s.registry[c.Provider]
	provider, err := NewProvider(name, c, d, s.core.Gate(name, c.Rate(d)), s.Answers, s.HostsOf(name, d))
	if err != nil {
		return Told{}, request.Invalidf("%s", err)
	}
	// A provider may need two exchanges: one for a token, one for the call itself.
	ctx, cancel := context.WithTimeout(ctx, 2*c.Timeout())
	defer cancel()
	if err := provider.Verify(ctx); err != nil {
		err = request.VaultError("connection "+name+" was not stored: "+d.Title+" did not accept a call with it", err)
		return Told{}, request.WithWayOut(err,
			hint.Textf("then write it again: %s (to store it all the same, add verify_connection=false)", again))
	}
	says.Account = TellAccount(ctx, provider)
	if c.toAsk() {
		says.Credential = AskCredential(ctx, provider, s.now())
	}
	if len(known) == 0 {
		return says, nil
	}
	found, err := provider.DescribeInstances(ctx, known)
	if err != nil {
		return Told{}, request.VaultError("connection "+name+" was not stored: with these credentials "+d.Title+
			" does not describe the instances of its accounts", err)
	}
	if len(found) == 0 {
		return Told{}, request.Conflictf(
			"connection %s was not stored: these credentials see none of the instances of its accounts (such as %s), so they "+
				"seem to belong to another cloud account; write another connection for that, and leave this one to its accounts, whose passwords are "+
				"kept with it. If the instances do not exist any more, DELETE their accounts first (without force, which would lose passwords), see "+
				"accounts/%s/", name, known[0], name)
	}
	return says, nil
}

// Bounds of the sample of instances by which changed credentials are checked.
const (
	sampledInstances = 50
	sampleLookups    = 200
)

// KnownInstances are some instances of a connection's accounts, none if the write leaves it to the
// same identity. A connection that was deleted and is written again may still have accounts. Instances that
// are known to be gone prove nothing and are left out.
func (s *Store) KnownInstances(ctx context.Context, name string, old, next *Record) ([]string, error) {
	if old != nil && sameIdentity(s.registry[next.Provider], old, next) {
		return nil, nil
	}
	instances, err := s.core.List(ctx, name+"/")
	if err != nil {
		return nil, request.VaultError("", err)
	}
	var known []string
	for _, instance := range instances[:min(len(instances), sampleLookups)] {
		users, err := s.core.List(ctx, name+"/"+instance+"/")
		if err != nil {
			return nil, request.VaultError("", err)
		}
		for _, user := range users {
			view, err := s.core.Inspect(ctx, rotation.ID{Connection: name, InstanceID: instance, Username: user})
			if err != nil {
				return nil, request.VaultError("", err)
			}
			if view != nil && view.Gone.IsZero() {
				known = append(known, instance)
				break
			}
		}
		if len(known) == sampledInstances {
			break
		}
	}
	return known, nil
}
