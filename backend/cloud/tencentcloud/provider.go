package tencentcloud

import (
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const (
	// visibilityGrace and pollInterval are ours, no page states such figures. A reset repeated too
	// early may cost the server a second shutdown, a late one only time: so it waits long enough.
	visibilityGrace = time.Minute
	pollInterval    = 2 * time.Second
)

// provider is one connection. It is safe for concurrent use.
type provider struct {
	sender
	cfg cloud.Config
	// hashing is for checks.
	hashing *guest.Hashing
	// expiry makes resets by the API expire soon.
	expiry *expiry
	// poll is the time between two looks at a command. Tests shorten it.
	poll time.Duration
}

var (
	_ cloud.Provider          = (*provider)(nil)
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.PasswordCheckers  = (*provider)(nil)
	_ cloud.PasswordResetter  = (*provider)(nil)
	_ cloud.ResetBounder      = (*provider)(nil)
	_ cloud.CredentialRotator = (*provider)(nil)
	_ cloud.PermissionChecker = (*provider)(nil)
)

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
