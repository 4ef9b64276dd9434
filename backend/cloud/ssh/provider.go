package ssh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// keys log in, in this order.
type keys []ssh.Signer

// provider is one connection. It is safe for concurrent use.
type provider struct {
	cfg     cloud.Config
	keys    keys
	jump    *sshclient.Jump // nil: none
	options sshclient.Options
	turns   *turns
	// roller brings the key to the hosts while it replaces another one, which then is among keys, too; nil: it replaces none.
	roller *roller
	// runs are what became of commands that somebody asks for later.
	runs *runs
	// hashing is for checks, guests has the public keys of Windows servers.
	hashing *guest.Hashing
	guests  *guest.Keys
}

var _ cloud.Provider = (*provider)(nil)

// instanceForm is that of the names of hosts.
var instanceForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$`)

// ValidateInstanceID implements cloud.Provider: it is the name of a host.
func (p *provider) ValidateInstanceID(id string) error {
	if !instanceForm.MatchString(id) {
		return fmt.Errorf("instance id %.40q is not the name of a host, see hosts/: letters, digits, and . _ - inside, at most 128", id)
	}
	return nil
}

// DescribeInstances implements cloud.Provider. It asks the inventory, and no host.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	var found []cloud.Instance
	for _, id := range ids {
		h, err := p.cfg.Hosts.Host(ctx, id)
		if err != nil {
			return nil, inventoryFailed(err)
		}
		if h != nil {
			found = append(found, instance(*h))
		}
	}
	return found, nil
}

// FindInstances implements cloud.Provider.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	all, err := p.cfg.Hosts.Hosts(ctx)
	if err != nil {
		return nil, inventoryFailed(err)
	}
	var found []cloud.Instance
	for _, h := range all {
		if i := instance(h); i.HasTags(tags) {
			found = append(found, i)
		}
	}
	return found, nil
}

// instance is a host as the rest of the mount knows servers. The inventory's serial stands in the place of the system disk: another
// server under the same name is one that was made again.
func instance(h cloud.Host) cloud.Instance {
	i := cloud.Instance{ID: h.Name, Name: h.Name, Platform: h.Platform, State: cloud.StateRunning, CloudState: "in the inventory",
		Tags:       h.Tags,
		SystemDisk: h.Serial, LoginUser: "root"}
	if h.Platform == cloud.Windows {
		i.LoginUser = "Administrator"
	}
	if ip, err := netip.ParseAddr(h.Address); err == nil {
		i.PrivateIP = ip.String()
	}
	return i
}

// DefaultUsername implements cloud.Provider.
func (p *provider) DefaultUsername(i cloud.Instance) string { return i.LoginUser }

// Lengths of passwords: crypt(3) takes 511 bytes, and Windows 127 characters.
const (
	minPassword = 12
	maxPassword = 127
)

// PasswordRules implements cloud.Provider. A hash is written on Linux, so that no rule of the server's PAM applies; Windows has its
// own policy, by default three classes and no user name.
func (p *provider) PasswordRules(i cloud.Instance) password.Rules {
	rules := password.Rules{MinLength: minPassword, MaxLength: maxPassword, MinClasses: 3, Special: specials}
	if i.Platform != cloud.Linux {
		rules.ForbidUsername = true
	}
	return rules
}

// specials are the special characters: all of ASCII's but the blank.
const specials = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// verified is how many hosts Verify asks at most.
const verified = 3

// Verify implements cloud.Provider: one of some hosts, chosen at random, lets the key in. A connection without hosts has nothing to be
// verified with: its key is not on any yet.
func (p *provider) Verify(ctx context.Context) error {
	var first error
	hosts, err := p.sample(ctx, verified)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		err := p.verifyHost(ctx, h)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return first
}

// verifyHost logs in to a host with the connection's key.
func (p *provider) verifyHost(ctx context.Context, h cloud.Host) error {
	if p.roller != nil {
		return p.proveKey(ctx, h)
	}
	return p.within(ctx, h, func(*sshclient.Client) error { return nil })
}

// sample are some of the connection's hosts, in a random order.
func (p *provider) sample(ctx context.Context, most int) ([]cloud.Host, error) {
	all, err := p.cfg.Hosts.Hosts(ctx)
	if err != nil {
		return nil, inventoryFailed(err)
	}
	var some []cloud.Host
	for _, n := range rand.Perm(len(all)) { //nolint:gosec // nobody gains by knowing which
		if len(some) < most {
			some = append(some, all[n])
		}
	}
	return some, nil
}

// inventoryFailed is the error of an inventory that could not be read: nothing was sent.
func inventoryFailed(err error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the inventory of hosts cannot be read: " + err.Error(), Err: err}
}

// noHosts is the inventory of a provider that was made without one.
type noHosts struct{}

var errNoInventory = errors.New("there is none")

func (noHosts) Host(context.Context, string) (*cloud.Host, error) { return nil, nil } //nolint:nilnil // there is no such host

func (noHosts) Hosts(context.Context) ([]cloud.Host, error) { return nil, nil }

func (noHosts) PinHostKey(context.Context, string, string) (string, error) { return "", errNoInventory }
