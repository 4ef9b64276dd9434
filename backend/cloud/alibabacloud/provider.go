package alibabacloud

import (
	"context"
	"net/url"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const (
	// visibilityGrace and pollInterval are ours, no page states such figures.
	visibilityGrace = time.Minute
	pollInterval    = 2 * time.Second
)

// provider is one connection. It is safe for concurrent use.
type provider struct {
	sender
	cfg cloud.Config
	// hashing is for checks, guests has the public keys of Windows servers.
	hashing *guest.Hashing
	guests  *guest.Keys
	// poll is the time between two looks at a command. Tests shorten it.
	poll time.Duration
}

var (
	_ cloud.Provider          = (*provider)(nil)
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.PasswordCheckers  = (*provider)(nil)
	_ cloud.CredentialRotator = (*provider)(nil)
	_ cloud.PermissionChecker = (*provider)(nil)
)

// mayNotAsk reports whether a service is none that the connection's requests may go to; see cloud.EndpointMissing.
func (p *provider) mayNotAsk(service string) bool {
	return cloud.EndpointMissing(p.cfg.Endpoints, endpointECS, service)
}

// ecs makes one call of ECS, in the connection's region.
func (p *provider) ecs(ctx context.Context, a action, parameters url.Values, answer any) error {
	parameters.Set("RegionId", p.cfg.Text(cloud.Region))
	return p.ask(ctx, a, parameters, answer)
}

// ValidateInstanceID implements cloud.Provider.
func (p *provider) ValidateInstanceID(id string) error { return validateInstanceID(id) }

// DefaultUsername implements cloud.Provider: what the image says, else the account that the cloud's images have.
func (p *provider) DefaultUsername(i cloud.Instance) string {
	switch {
	case i.LoginUser != "":
		return i.LoginUser
	case i.Platform == cloud.Windows:
		return "Administrator"
	}
	return "root"
}

// specials are the special characters that the cloud's own passwords take (ModifyInstanceAttribute, Password).
const specials = "()`~!@#$%^&*-_+=|{}[]:;'<>,.?/"

// PasswordRules implements cloud.Provider, after the Password parameter of ModifyInstanceAttribute, so that a password may
// also be typed into the cloud's console. Windows itself refuses one that holds the user's name. An instance of unknown
// platform gets the rules of both.
func (p *provider) PasswordRules(i cloud.Instance) password.Rules {
	rules := password.Rules{MinLength: 8, MaxLength: 30, MinClasses: 3, Special: specials}
	if i.Platform != cloud.Linux {
		rules.ForbidFirst = "/"
		rules.ForbidUsername = true
	}
	return rules
}
