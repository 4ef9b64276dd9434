package azure

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// pollInterval is the time between two looks at a run command. An operation takes 15 seconds and more.
const pollInterval = 10 * time.Second

// provider is one connection. It is safe for concurrent use.
type provider struct {
	sender
	cfg cloud.Config
	// subscription is the connection's.
	subscription string
	// hashing is for checks, guests has the public keys of Windows servers.
	hashing *guest.Hashing
	guests  *guest.Keys
	// poll is the time between two looks at a run command. Tests shorten it.
	poll time.Duration
	// vms says where the virtual machines are.
	vms *directory
	// relist is how long a listing of them serves. Tests shorten it.
	relist time.Duration
}

var _ cloud.Provider = (*provider)(nil)

// ValidateInstanceID implements cloud.Provider.
func (p *provider) ValidateInstanceID(id string) error { return validateInstanceID(id) }

// DefaultUsername implements cloud.Provider: the administrator that the machine was made with. One that was made from a disk of
// somebody's own has none that the cloud would know, so that a role must name the user.
func (p *provider) DefaultUsername(i cloud.Instance) string { return i.LoginUser }

// collection is the path of all resources of a kind in the subscription.
func (p *provider) collection(kind string) string { return "/subscriptions/" + p.subscription + kind }

// Lengths of passwords: those that are good for both platforms at a machine's creation, and 12 at least.
const (
	minPassword = 12
	maxPassword = 72
)

// PasswordRules implements cloud.Provider, after the rules of adminPassword at a machine's creation (armcompute v8.4.0,
// models.go, OSProfile): 8 to 123 characters on Windows and 6 to 72 on Linux, of three classes. The values that are refused
// there by name, such as Pa$$word, have 11 characters at most. Windows itself refuses a password that holds the user's name.
func (p *provider) PasswordRules(i cloud.Instance) password.Rules {
	rules := password.Rules{MinLength: minPassword, MaxLength: maxPassword, MinClasses: 3, Special: specials}
	if i.Platform != cloud.Linux {
		rules.ForbidUsername = true
	}
	return rules
}

// specials are the special characters: all of ASCII's. The rule says [\W_], so that a blank would count, too; but people lose one.
const specials = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
