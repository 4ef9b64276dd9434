package tencentcloud

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*provider)(nil)

// CloudAccount implements cloud.AccountTeller by GetCallerIdentity's AccountId, the main account's UIN.
func (p *provider) CloudAccount(ctx context.Context) (string, error) {
	if p.mayNotAsk(endpointSTS) {
		return "", nil
	}
	who, err := p.identity(ctx)
	if err != nil {
		return "", err
	}
	return value(who.AccountId), nil
}
