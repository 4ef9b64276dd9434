package tencentcloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

type provider struct {
	cvm *cvm.Client
	// sts is nil where endpoints.cvm is overridden and endpoints.sts is not: the keys of a private
	// or simulated endpoint must not be sent to the public cloud.
	sts       *sts.Client
	gate      cloud.Gate
	timeout   time.Duration
	secretKey string
}

var (
	_ cloud.Provider         = (*provider)(nil)
	_ cloud.PasswordResetter = (*provider)(nil)
)

// New makes the provider of a validated connection. It sends nothing.
func New(cfg cloud.Config) (cloud.Provider, error) {
	if err := validate(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil {
		return nil, errors.New("tencentcloud: no HTTP client given")
	}
	p := &provider{gate: cfg.Gate, timeout: cfg.RequestTimeout, secretKey: cfg.SecretKey}
	if p.gate == nil {
		p.gate = cloud.NoGate{}
	}
	out := newTransport(cfg.HTTPClient)
	credential := common.NewCredential(cfg.AccessKey, cfg.SecretKey)

	settings, err := clientProfile(cfg, endpointCVM)
	if err != nil {
		return nil, err
	}
	if p.cvm, err = cvm.NewClient(credential, cfg.Region, settings); err != nil {
		return nil, fmt.Errorf("tencentcloud: CVM client: %w", err)
	}
	p.cvm.WithHttpTransport(out).WithRequestClient("cloudpw")

	if cfg.Endpoints[endpointCVM] != "" && cfg.Endpoints[endpointSTS] == "" {
		return p, nil
	}
	if settings, err = clientProfile(cfg, endpointSTS); err != nil {
		return nil, err
	}
	if p.sts, err = sts.NewClient(credential, cfg.Region, settings); err != nil {
		return nil, fmt.Errorf("tencentcloud: STS client: %w", err)
	}
	p.sts.WithHttpTransport(out).WithRequestClient("cloudpw")
	return p, nil
}

// ask makes one reading call: it waits for the gate, bounds the exchange and translates its error.
func (p *provider) ask(ctx context.Context, a action, send func(context.Context) error) error {
	if err := p.gate.Wait(ctx, a.name); err != nil {
		return err
	}
	return p.exchange(ctx, a, send)
}

// exchange sends one request at once.
func (p *provider) exchange(ctx context.Context, a action, send func(context.Context) error, secrets ...string) error {
	if err := ctx.Err(); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: a.String() + ": abandoned before it was sent", Err: err}
	}
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	if err := send(ctx); err != nil {
		return translate(a, err, append(secrets, p.secretKey)...)
	}
	return nil
}

// Verify implements cloud.Provider. It asks STS who the caller is. Where the keys may not do that,
// or where only endpoints.cvm is set, it describes one instance instead.
func (p *provider) Verify(ctx context.Context) error {
	if p.sts != nil {
		err := p.ask(ctx, getCallerIdentity, func(ctx context.Context) error {
			_, err := p.sts.GetCallerIdentityWithContext(ctx, sts.NewGetCallerIdentityRequest())
			return err
		})
		if !lacksPermission(err) {
			return err
		}
	}
	request := cvm.NewDescribeInstancesRequest()
	request.Limit = common.Int64Ptr(1)
	_, err := p.describeInstances(ctx, request)
	return err
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
