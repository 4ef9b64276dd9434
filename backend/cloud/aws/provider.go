package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// pollInterval is ours: the time between two looks at a command.
const pollInterval = 2 * time.Second

// Provider is one connection to one AWS account in one region. It is safe for concurrent use.
type Provider struct {
	sender
	ec2    ec2Operations
	sts    stsOperations
	iam    iamOperations
	ssm    ssmOperations
	region string
	// guests are the public keys of Windows servers.
	guests *guest.Keys
	// hashing is for checks.
	hashing *guest.Hashing
	// poll is the time between two looks at a command. Tests shorten it.
	poll time.Duration
	// endpoints are the services' URLs that the operator has set.
	endpoints map[string]string
}

var (
	_ cloud.Provider              = (*Provider)(nil)
	_ cloud.InitialPasswordReader = (*Provider)(nil)
	_ cloud.PasswordResetters     = (*Provider)(nil)
	_ cloud.PasswordCheckers      = (*Provider)(nil)
	_ cloud.CredentialRotator     = (*Provider)(nil)
	_ cloud.PermissionChecker     = (*Provider)(nil)
)

func newProvider(cfg cloud.Config) *Provider {
	keys := newKeySource(cfg)
	return &Provider{
		sender:    sender{cfg.Limiter, cfg.RequestTimeout, keys},
		ec2:       newEC2(cfg, keys),
		sts:       newSTS(cfg, keys),
		iam:       newIAM(cfg, keys),
		ssm:       newSSM(cfg, keys),
		region:    cfg.Text(cloud.Region),
		guests:    &guest.Keys{},
		hashing:   guest.NewHashing(),
		poll:      pollInterval,
		endpoints: cfg.Endpoints,
	}
}

// mayNotAsk reports whether a service is none that the connection's requests may go to; see cloud.EndpointMissing.
func (p *Provider) mayNotAsk(service string) bool {
	return cloud.EndpointMissing(p.endpoints, endpointEC2, service)
}

// verifyPage is how many instances Verify asks EC2 for where it must not use STS: the least that
// DescribeInstances accepts.
const verifyPage = 5

// Verify implements cloud.Provider by sts GetCallerIdentity, which needs no permission, or where
// only the endpoint of ec2 is overridden by an ec2 DescribeInstances of one short page.
func (p *Provider) Verify(ctx context.Context) error {
	if p.mayNotAsk(endpointSTS) {
		_, err := send(ctx, p.sender, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances,
			&ec2.DescribeInstancesInput{MaxResults: sdk.Int32(verifyPage)})
		return err
	}
	_, err := send(ctx, p.sender, call{endpointSTS, "GetCallerIdentity", ""}, p.sts.getCallerIdentity, &sts.GetCallerIdentityInput{})
	return err
}

// ValidateInstanceID implements cloud.Provider.
func (*Provider) ValidateInstanceID(id string) error { return validateInstanceID(id) }

// DefaultUsername implements cloud.Provider. GetPasswordData is the password of Administrator; on Linux
// there is no other user that every image has.
func (*Provider) DefaultUsername(i cloud.Instance) string {
	if i.Platform == cloud.Windows {
		return "Administrator"
	}
	return "root"
}

// The cloud sets no rules, the server's own do. Those of Windows are its policy "Password must meet
// complexity requirements", which is on in Amazon's images: three of the four classes and no user name in
// it. A policy of a length of 12 and more is common on top, so more is asked: a password that Windows
// refuses costs a rotation. 127 characters are the longest that its graphical tools accept. Linux has no
// rules for a hash that root sets; the same kind of strength is asked.
var (
	windowsRules = password.Rules{MinLength: 12, MaxLength: 127, MinClasses: 4, ForbidUsername: true}
	linuxRules   = password.Rules{MinLength: 8, MaxLength: 127, MinClasses: 3, ForbidUsername: true}
)

// PasswordRules implements cloud.Provider.
func (*Provider) PasswordRules(i cloud.Instance) password.Rules {
	if i.Platform == cloud.Windows {
		return windowsRules
	}
	return linuxRules
}
