package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// adjusted gives the account of a role other settings. Nobody has looked at its instance, so what is known of
// that stays as it is, and so does that it is gone.
type adjusted struct {
	role     string
	settings Settings
	at       time.Time
}

func (e adjusted) apply(a *Account) error {
	if a.Role != e.role {
		return errorf(Conflict, "account %s does not belong to role %q", a.ID, e.role)
	}
	gone := a.Gone
	if !gone.IsZero() && a.Settings == e.settings {
		return errNoChange
	}
	if err := (bound{role: e.role, settings: e.settings, facts: a.Facts, at: e.at}).apply(a); err != nil {
		return err
	}
	a.Gone = gone
	return nil
}

// Adjust gives an account other settings of the role that it is bound to. Unlike Bind it needs no look at the
// instance, makes no account and takes none from another role.
func (c *Core) Adjust(ctx context.Context, id ID, role string, settings Settings) (*View, error) {
	_, err := c.update(ctx, c.entry(id), adjusted{role: role, settings: settings, at: c.opts.Now()})
	if err != nil && !errors.Is(err, errNoChange) {
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
