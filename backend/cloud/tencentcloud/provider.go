package tencentcloud

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

type provider struct {
	sender
	cfg cloud.Config
	// poll is the time between two looks at a command. Tests shorten it.
	poll time.Duration
}

var (
	_ cloud.Provider          = (*provider)(nil)
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.PasswordResetter  = (*provider)(nil)
	_ cloud.CredentialRotator = (*provider)(nil)
	_ cloud.PermissionChecker = (*provider)(nil)
)

// New makes the provider of a validated connection. It sends nothing.
func New(cfg cloud.Config) (cloud.Provider, error) {
	return newProvider(cfg, newAmbient())
}

func newProvider(cfg cloud.Config, environment *ambient) (*provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil {
		return nil, errors.New("tencentcloud: no HTTP client given")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = cloud.Unlimited{}
	}
	source, err := newKeySource(cfg, environment)
	if err != nil {
		return nil, err
	}
	return &provider{sender{cfg.Limiter, cfg.RequestTimeout, source}, cfg, pollInterval}, nil
}

// sender sends requests that are signed with the keys of a source.
type sender struct {
	limiter cloud.Limiter
	timeout time.Duration
	source  *keySource
}

// ask makes one call, and repeats only one that the cloud throttled while a client waits: it waits for the
// limiter, bounds the exchange and translates its error.
func (d *sender) ask(ctx context.Context, a action, send func(context.Context, *session) error, secrets ...string) error {
	return cloud.RetryThrottled(ctx, func() error { return d.askOnce(ctx, a, send, secrets...) })
}

// askOnce is ask for a call that is not repeated when throttled.
func (d *sender) askOnce(ctx context.Context, a action, send func(context.Context, *session) error, secrets ...string) error {
	s, err := d.source.get(ctx)
	if err != nil {
		return err
	}
	if err := d.limiter.Wait(ctx, a.name); err != nil {
		return err
	}
	return d.exchange(ctx, a, s, send, secrets...)
}

// exchange sends one request at once. Temporary keys that the cloud no longer accepts are dropped, so
// that the next call fetches others.
func (d *sender) exchange(ctx context.Context, a action, s *session, send func(context.Context, *session) error, secrets ...string) error {
	if err := ctx.Err(); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: a.String() + ": abandoned before it was sent", Err: err}
	}
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	if err := send(ctx, s); err != nil {
		failure := translate(d.source.origin, a, err, append(secrets, s.keys.secret, s.keys.token)...)
		d.source.refused(s, failure)
		return failure
	}
	return nil
}

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

// mayNotAsk reports whether a service is none that the connection's requests may go to; see cloud.EndpointMissing.
func (p *provider) mayNotAsk(service string) bool {
	return cloud.EndpointMissing(p.cfg.Endpoints, endpointCVM, service)
}

// ValidateInstanceID implements cloud.Provider.
func (p *provider) ValidateInstanceID(id string) error { return validateInstanceID(id) }

// DefaultUsername implements cloud.Provider: the account that the cloud names, else the one that
// the API page gives for the platform.
func (p *provider) DefaultUsername(i cloud.Instance) string {
	switch {
	case i.LoginUser != "":
		return i.LoginUser
	case i.Platform == cloud.Windows:
		return "Administrator"
	case strings.Contains(strings.ToLower(i.OSName), "ubuntu"):
		return "ubuntu"
	}
	return "root"
}

// specials are the special characters that ResetInstancesPassword takes on every platform. The
// list for Windows shows a blank too, which is left out: it is easily lost on the way.
const specials = "()`~!@#$%^&*-+=_|{}[]:;'<>,.?/"

// PasswordRules implements cloud.Provider, after the Password parameter of ResetInstancesPassword.
// An instance of unknown platform gets the rules of both.
func (p *provider) PasswordRules(i cloud.Instance) password.Rules {
	rules := password.Rules{MinLength: 8, MaxLength: 30, MinClasses: 3, Special: specials, ForbidFirst: "/"}
	if i.Platform != cloud.Linux {
		rules.MinLength = 12
		rules.ForbidUsername = true
	}
	return rules
}
