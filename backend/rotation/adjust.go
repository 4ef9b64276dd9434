package rotation

import (
	"context"
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Adjust gives an account other settings of the role that it is bound to. Unlike Bind it needs no look at the
// instance, makes no account and takes none from another role.
func (c *Core) Adjust(ctx context.Context, id ID, role string, settings Settings) (*View, error) {
	_, err := c.update(ctx, c.entry(id), protocol.SettingsChanged{Role: role, Settings: settings, At: c.opts.Now()})
	if err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return nil, err
	}
	return c.Inspect(ctx, id)
}

// Gate is the limiter of a connection, for calls that are made before its configuration is stored: they count like
// all others. requestsPerSecond is the limit of a connection that is not in use yet.
func (c *Core) Gate(name string, requestsPerSecond float64) cloud.Gate {
	n := c.connection(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live == nil {
		n.gate.setRate(requestsPerSecond)
	}
	return n.gate
}
