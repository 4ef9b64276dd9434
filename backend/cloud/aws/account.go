package aws

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*Provider)(nil)

// CloudAccount implements cloud.AccountTeller by sts GetCallerIdentity, which needs no permission.
func (p *Provider) CloudAccount(ctx context.Context) (string, error) {
	if p.mayNotAsk(endpointSTS) {
		return "", nil
	}
	out, err := send(ctx, p.sender, call{endpointSTS, "GetCallerIdentity", ""}, p.sts.getCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return sdk.ToString(out.Account), nil
}
