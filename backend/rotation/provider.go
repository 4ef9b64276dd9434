package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Provider returns a connection's provider, whose calls wait for the connection's limiter like the
// core's own: for the questions that are asked when a role is written or resolved.
func (c *Core) Provider(ctx context.Context, name string) (cloud.Provider, error) {
	_, live, err := c.connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return live.Provider, nil
}
