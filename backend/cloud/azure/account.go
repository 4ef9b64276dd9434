package azure

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*provider)(nil)

// CloudAccount implements cloud.AccountTeller: it is the subscription, once the cloud has shown its virtual machines to the
// credentials.
func (p *provider) CloudAccount(ctx context.Context) (string, error) {
	if err := p.Verify(ctx); err != nil {
		return "", err
	}
	return p.subscription, nil
}
