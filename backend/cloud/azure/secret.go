package azure

import (
	"context"
	"net/url"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// clientSecret gets tokens for an application with a client secret.
type clientSecret struct {
	login                  *login
	tenant, client, secret string
}

func newClientSecret(cfg cloud.Config, l *login) clientSecret {
	return clientSecret{l, cfg.Text(fieldTenantID), cfg.Text(fieldClientID), cfg.Text(fieldClientSecret)}
}

func (c clientSecret) fetch(ctx context.Context) (string, time.Time, error) {
	return c.login.get(ctx, c.tenant, url.Values{"client_id": {c.client}, "client_secret": {c.secret}})
}
