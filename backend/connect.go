package backend

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// connect makes the provider of a stored connection for the core. It sends nothing.
func (b *backend) connect(ctx context.Context, name string, gate cloud.Gate) (*rotation.Connection, error) {
	c, d, err := b.connectionOf(ctx, name)
	if err != nil {
		return nil, err
	}
	provider, err := newProvider(c, d, gate)
	if err != nil {
		return nil, err
	}
	return &rotation.Connection{
		Provider:          provider,
		ProviderName:      c.Provider,
		RequestsPerSecond: c.rate(d),
		RequestTimeout:    c.timeout(),
		PasswordPolicy:    c.PasswordPolicy,
	}, nil
}

// connectionOf returns a stored connection and its provider's descriptor.
func (b *backend) connectionOf(ctx context.Context, name string) (*connection, cloud.Descriptor, error) {
	c, err := b.connections.get(ctx, name)
	if err != nil {
		return nil, cloud.Descriptor{}, err
	}
	if c == nil {
		return nil, cloud.Descriptor{}, invalidf("connection %s does not exist; write config/%s", name, name)
	}
	d, ok := b.registry[c.Provider]
	if !ok {
		return nil, d, invalidf("connection %s: this plugin version has no provider %s; it has %s", name, c.Provider, b.providerNames())
	}
	return c, d, nil
}

// newProvider makes a connection's provider, whose calls wait for the gate.
func newProvider(c *connection, d cloud.Descriptor, gate cloud.Gate) (cloud.Provider, error) {
	client, err := cloud.NewHTTPClient(c.CACertificate, c.timeout())
	if err != nil {
		return nil, err
	}
	config := c.cloudConfig(d)
	config.HTTPClient = client
	config.Gate = gate
	return d.New(config)
}

// verify asks the cloud whether the credentials of a connection that is not stored yet work.
func verify(ctx context.Context, name string, c *connection, d cloud.Descriptor) error {
	provider, err := newProvider(c, d, cloud.NoGate{})
	if err != nil {
		return invalidf("%s", err)
	}
	// A provider may need two exchanges: one for a token, one for the call itself.
	ctx, cancel := context.WithTimeout(ctx, 2*c.timeout())
	defer cancel()
	if err := provider.Verify(ctx); err != nil {
		return vaultError("connection "+name+" was not stored: "+d.Title+" did not accept a call with it (to store it all the same, write verify_connection=false)", err)
	}
	return nil
}
