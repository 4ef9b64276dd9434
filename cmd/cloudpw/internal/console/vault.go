package console

import (
	"context"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// vault is what the console needs of the engine.
type vault interface {
	Mount() string
	Report(ctx context.Context, f engine.Filter, after string, limit int) (engine.Page, error)
	Account(ctx context.Context, connection, instance, user string) (engine.Detail, error)
	Resolve(ctx context.Context, t engine.Target) (engine.Place, error)
	Read(ctx context.Context, p engine.Place, o engine.ReadOptions) (*engine.Password, error)
	Renew(ctx context.Context, leaseID string, increment time.Duration) (time.Duration, error)
	GiveBack(ctx context.Context, leaseID string) error
	Rotate(ctx context.Context, o engine.RotateOrder) (engine.Ordered, error)
	Verify(ctx context.Context, o engine.VerifyOrder) (engine.Ordered, error)
	CampaignFailing(ctx context.Context, id string, limit int) (engine.Campaign, error)
	Campaigns(ctx context.Context) ([]engine.Campaign, error)
	Status(ctx context.Context) (engine.Status, error)

	// Token is what Vault says of the token.
	Token(ctx context.Context) (token, error)
}

// token is what Vault says of the user's token.
type token struct {
	who string        // its display name
	ttl time.Duration // how long it still lives; 0: it does not end, or Vault did not say
}

// client is an engine's client with the questions about its token.
type client struct{ *engine.Client }

// Token looks the token up. Vault's policy `default` allows it.
func (c client) Token(ctx context.Context) (token, error) {
	secret, err := c.Vault().Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return token{}, err
	}
	name, _ := secret.Data["display_name"].(string)
	ttl, err := secret.TokenTTL()
	if err != nil {
		ttl = 0 // it is only not shown
	}
	return token{who: name, ttl: ttl}, nil
}

// invalidToken is what Vault adds to "permission denied" if it does not know the token.
const invalidToken = "invalid token"

// ended tells whether a refusal is about the token and not about its policies.
func ended(refused *engine.Error) bool { return slices.Contains(refused.Messages, invalidToken) }
