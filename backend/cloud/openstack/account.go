package openstack

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*provider)(nil)

// CloudAccount implements cloud.AccountTeller by the project: that of the token, or the one for which requests are
// signed, which the cloud has accepted once Verify has succeeded.
func (p *provider) CloudAccount(ctx context.Context) (string, error) {
	s, err := p.sessions.get(ctx)
	if err != nil {
		return "", err
	}
	return s.projectID, nil
}
