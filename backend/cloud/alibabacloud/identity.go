package alibabacloud

import (
	"context"
	"net/url"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*provider)(nil)

// caller is the answer of GetCallerIdentity (alibaba-cloud-sdk-go v1.63.107, sts/get_caller_identity.go).
type caller struct {
	IdentityType string
	AccountID    string `json:"AccountId"`
	UserID       string `json:"UserId"`
	Arn          string
}

// Verify implements cloud.Provider. It asks STS who the caller is. Where the keys may not do that, or only endpoints.ecs is
// set, it asks ECS whether instances could be described.
func (p *provider) Verify(ctx context.Context) error {
	if !p.mayNotAsk(endpointSTS) {
		_, err := p.identity(ctx)
		if !permissionMissing(err) {
			return err
		}
	}
	return p.mayDescribe(ctx)
}

// identity asks STS who signs.
func (d *sender) identity(ctx context.Context) (caller, error) {
	var who caller
	if err := d.ask(ctx, getCallerIdentity, url.Values{}, &who); err != nil {
		return caller{}, err
	}
	if who.AccountID == "" {
		return caller{}, cloud.Errorf(cloud.Unknown, "%s: the answer names nobody; check endpoints.sts", getCallerIdentity)
	}
	return who, nil
}

// CloudAccount implements cloud.AccountTeller by GetCallerIdentity's AccountId.
func (p *provider) CloudAccount(ctx context.Context) (string, error) {
	if p.mayNotAsk(endpointSTS) {
		return "", nil
	}
	who, err := p.identity(ctx)
	return who.AccountID, err
}
