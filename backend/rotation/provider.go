package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Provider returns a connection's provider, whose calls wait for the connection's limiter like the
// core's own: for the questions that are asked when a role is written or resolved.
func (c *Core) Provider(ctx context.Context, name string) (cloud.Provider, error) {
	to, err := c.connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return to.Provider, nil
}

// Connected returns a snapshot of a connection: its provider, whose calls wait for the connection's limiter like
// the core's own, and the place to which these go.
func (c *Core) Connected(ctx context.Context, name string) (*Connection, error) {
	to, err := c.connect(ctx, name)
	return to.Connection, err
}

// Gate is the limiter of a connection, for calls that are made before its configuration is stored: they count like
// all others. requestsPerSecond is the limit of a connection that is not in use yet.
func (c *Core) Gate(name string, requestsPerSecond float64) cloud.Limiter {
	return c.connection(name).limiterFor(requestsPerSecond)
}

// ForgetConnection is to be called when a connection's configuration has changed or was deleted: the
// next use connects again. The limiter and the breaker's memory stay.
func (c *Core) ForgetConnection(name string) {
	n := c.connection(name)
	n.forget()
	// Retry at once with the new credentials.
	n.breaker.report(c.opts.Now(), nil)
	// It is made again at once, which sends nothing: its accounts see then whether it leads to another place.
	_, err := c.connect(c.ctx, name)
	if err != nil {
		c.opts.Logger.Debug("the connection cannot be used now", "connection", name, "error", err)
	}
	for _, e := range c.entriesOf(name) {
		c.clearDelay(e)
		c.ask(e)
	}
}
