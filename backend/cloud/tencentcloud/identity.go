package tencentcloud

import (
	"context"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var _ cloud.AccountTeller = (*provider)(nil)

// Verify implements cloud.Provider. It asks STS who the caller is. Where the keys may not do that, STS does
// not have the region, or only endpoints.cvm is set, it describes one instance instead.
func (p *provider) Verify(ctx context.Context) error {
	if !p.mayNotAsk(endpointSTS) {
		_, err := p.identity(ctx)
		if !permissionMissing(err) && cloud.CodeOf(err) != unsupportedRegion {
			return err
		}
	}
	request := cvm.NewDescribeInstancesRequest()
	request.Limit = common.Int64Ptr(1)
	_, err := p.describeInstances(ctx, request)
	return err
}

// identity asks STS who signs.
func (d *sender) identity(ctx context.Context) (*sts.GetCallerIdentityResponseParams, error) {
	var who *sts.GetCallerIdentityResponseParams
	err := d.ask(ctx, getCallerIdentity, func(ctx context.Context, s *session) error {
		response, err := s.getCallerIdentity(ctx, sts.NewGetCallerIdentityRequest())
		if err == nil && response.Response == nil {
			err = cloud.Errorf(cloud.Unknown, "%s: the answer names nobody; check endpoints.sts", getCallerIdentity)
		}
		if err == nil {
			who = response.Response
		}
		return err
	})
	return who, err
}

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
