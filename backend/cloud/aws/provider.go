package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// appID is shown in the User-Agent of every request, so that an account's owner can tell them apart
// in CloudTrail.
const appID = "cloudpw"

// Provider is one connection to one AWS account in one region. It is safe for concurrent use.
type Provider struct {
	ec2     ec2Operations
	sts     stsOperations
	iam     iamOperations
	ssm     ssmOperations
	region  string
	limiter cloud.Limiter
	timeout time.Duration
	keys    *keySource
	// guests are the public keys of Windows servers.
	guests *guest.Keys
	// poll is the time between two looks at a command. Tests shorten it.
	poll time.Duration
	// endpoints are the services' URLs that the operator has set.
	endpoints map[string]string
}

var (
	_ cloud.Provider              = (*Provider)(nil)
	_ cloud.InitialPasswordReader = (*Provider)(nil)
	_ cloud.PasswordResetters     = (*Provider)(nil)
	_ cloud.CredentialRotator     = (*Provider)(nil)
	_ cloud.PermissionChecker     = (*Provider)(nil)
)

// New makes a provider from a connection. It sends nothing. An error means that the configuration
// cannot work and names the field.
func New(cfg cloud.Config) (cloud.Provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil || cfg.Limiter == nil {
		return nil, errors.New("provider aws: the connection has no HTTP client or no limiter")
	}
	keys := newKeySource(cfg)
	return &Provider{
		ec2:       newEC2(cfg, keys),
		sts:       newSTS(cfg, keys),
		iam:       newIAM(cfg, keys),
		ssm:       newSSM(cfg, keys),
		region:    cfg.Text(cloud.Region),
		limiter:   cfg.Limiter,
		timeout:   cfg.RequestTimeout,
		keys:      keys,
		guests:    &guest.Keys{},
		poll:      pollInterval,
		endpoints: cfg.Endpoints,
	}, nil
}

// mayNotAsk reports whether a service is none that the connection's requests may go to; see cloud.EndpointMissing.
func (p *Provider) mayNotAsk(service string) bool {
	return cloud.EndpointMissing(p.endpoints, endpointEC2, service)
}

// override returns the operator's URL of a service, or nil for the SDK's own rule, which derives
// the host name from the region: ec2.{region}.amazonaws.com, in China ec2.{region}.amazonaws.com.cn.
func override(cfg cloud.Config, service string) *string {
	if u := cfg.Endpoints[service]; u != "" {
		return &u
	}
	return nil
}

// call names one request, for the limiter and for error messages.
type call struct {
	service string // endpoint key
	action  string // API action
	subject string // what the request is about, for people; may be empty
}

func (c call) String() string {
	if c.subject == "" {
		return c.service + " " + c.action
	}
	return fmt.Sprintf("%s %s for %s", c.service, c.action, c.subject)
}

// request is one action of a service, as the SDK's clients offer it.
type request[In, Out, Option any] = func(context.Context, In, ...Option) (Out, error)

// send makes one request, and repeats only one that the cloud throttled while a client waits: it gets the
// keys to sign with, waits for the limiter, bounds the exchange by the request timeout and translates the
// SDK's error. Fetching or renewing temporary keys takes a request of its own, before it.
func send[In, Out, Option any](ctx context.Context, p *Provider, c call, request request[In, Out, Option], in In) (Out, error) {
	var out Out
	err := cloud.RetryThrottled(ctx, func() (err error) {
		out, err = sendOnce(ctx, p, c, request, in)
		return err
	})
	return out, err
}

// sendOnce is send for a request that is not repeated when throttled.
func sendOnce[In, Out, Option any](ctx context.Context, p *Provider, c call, request request[In, Out, Option], in In) (Out, error) {
	return exchange(ctx, p, c, request, in, func(ctx context.Context) error { return p.limiter.Wait(ctx, c.action) })
}

// sendAtOnce makes exactly one request, for a caller who has waited for the limiter himself. No error repeats
// one of the secrets, which the request may hold.
func sendAtOnce[In, Out, Option any](ctx context.Context, p *Provider, c call, request request[In, Out, Option], in In,
	secrets ...string) (Out, error) {
	return exchange(ctx, p, c, request, in, func(ctx context.Context) error { return cloud.Unlimited{}.Wait(ctx, c.String()) }, secrets...)
}

func exchange[In, Out, Option any](ctx context.Context, p *Provider, c call, request request[In, Out, Option], in In,
	wait func(context.Context) error, secrets ...string) (Out, error) {
	var none Out
	ctx, used, err := p.keys.pin(ctx)
	if err != nil {
		return none, err
	}
	if err := wait(ctx); err != nil {
		return none, err
	}
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	out, err := request(ctx, in)
	if err != nil {
		failure := translate(p.keys.origin, c, err, secrets...)
		p.keys.refused(used, failure)
		return none, failure
	}
	return out, nil
}

// verifyPage is how many instances Verify asks EC2 for where it must not use STS: the least that
// DescribeInstances accepts.
const verifyPage = 5

// Verify implements cloud.Provider by sts GetCallerIdentity, which needs no permission, or where
// only the endpoint of ec2 is overridden by an ec2 DescribeInstances of one short page.
func (p *Provider) Verify(ctx context.Context) error {
	if p.mayNotAsk(endpointSTS) {
		_, err := send(ctx, p, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances,
			&ec2.DescribeInstancesInput{MaxResults: sdk.Int32(verifyPage)})
		return err
	}
	_, err := send(ctx, p, call{endpointSTS, "GetCallerIdentity", ""}, p.sts.getCallerIdentity, &sts.GetCallerIdentityInput{})
	return err
}

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
