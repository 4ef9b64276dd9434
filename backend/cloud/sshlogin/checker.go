package sshlogin

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Action is the limiter's name of a login.
const Action = "login"

const (
	// interval is the least time between two tries of an account. Lockouts count wrong passwords within about as long:
	// pam_faillock within 15 minutes, new installations of Windows 11 within 10.
	interval = 10 * time.Minute
	// longestTry is more than the engine gives a look (three minutes), after which the connection is closed, and what sshd gives a
	// login (LoginGraceTime, two minutes) together.
	longestTry = 6 * time.Minute
)

// Jumper is implemented by providers whose servers are reached through a host in between.
type Jumper interface {
	// LoginJump is that host, nil for none, and the keys that it lets in.
	LoginJump() (*sshclient.Jump, []ssh.Signer)
}

// Checker is the check method for the servers of one connection. Use New.
type Checker struct {
	config   cloud.Config
	provider cloud.Provider
	listed   bool
}

var _ cloud.PasswordChecker = (*Checker)(nil)

// New makes the check method for the servers of a provider that was made of the config. listed says that they are those of the
// inventory, which tells their addresses (cloud.Descriptor.HasHosts). It sends nothing.
func New(config cloud.Config, provider cloud.Provider, listed bool) *Checker {
	return &Checker{config, provider, listed}
}

// CheckTraits implements cloud.PasswordChecker.
func (*Checker) CheckTraits(cloud.Platform) cloud.CheckTraits {
	return cloud.CheckTraits{Action: Action, Interval: interval, Tries: true, LongestTry: longestTry, Direct: true}
}

// CanCheck implements cloud.PasswordChecker.
func (*Checker) CanCheck(_ cloud.Instance, username string) error {
	if username == cloud.BuiltinAdministrator {
		return cloud.Errorf(cloud.Refused, "check_method=%s logs in by name, and %s is none; give the account's name as username, or use "+
			"check_method=%s where the provider has that", cloud.CheckSSH, username, cloud.CheckCommand)
	}
	return nil
}

// CheckPassword implements cloud.PasswordChecker: one connection, with one password. Where a host key is pinned the cloud is asked for
// nothing.
func (c *Checker) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	none := cloud.NotCompared("")
	if len(check.Values) != 1 || check.Values[0] == "" {
		return none, cloud.Errorf(cloud.Refused, "a login tries one password, and %d are given", len(check.Values))
	}
	target, why, err := c.target(ctx, check)
	if err != nil || why != "" {
		return cloud.NotCompared(why), err
	}
	var signers []ssh.Signer
	if j, ok := c.provider.(Jumper); ok {
		target.Jump, signers = j.LoginJump()
	}
	if err := c.config.Limiter.Wait(ctx, Action); err != nil {
		return none, err
	}
	verdict, err := sshclient.Try(ctx, *target, check.Values[0], signers, sshclient.Options{Timeout: c.config.RequestTimeout})
	if err != nil {
		none.Tried = verdict.Sent()
		return none, err
	}
	return finding(verdict, check), nil
}

// target is the server, with what is pinned of it; or why nothing can be sent to it.
func (c *Checker) target(ctx context.Context, check cloud.PasswordCheck) (t *sshclient.Target, why string, err error) {
	id := check.InstanceID
	if c.config.Hosts == nil {
		return nil, "", cloud.Errorf(cloud.Refused, "there is no inventory of host keys, so nothing is sent to %s", id)
	}
	host, err := c.config.Hosts.Host(ctx, id)
	if err != nil {
		return nil, "", &cloud.Error{Kind: cloud.Unavailable, Err: err, Message: "the pinned host key of " + id + " could not be read"}
	}
	t = &sshclient.Target{Name: id, Address: check.Address, Port: check.Port, User: check.Username}
	trusted := check.FirstUse
	switch {
	case c.listed && host == nil:
		return nil, "", cloud.Errorf(cloud.NotFound, "host %s is not in the inventory any more", id)
	case c.listed:
		t.Address, t.Port, trusted = host.Address, host.Port, host.TrustOnFirstUse
	case host != nil:
		trusted = trusted || host.TrustOnFirstUse
	}
	if t.Port == 0 {
		t.Port = cloud.SSHPort
	}
	if why = badAddress(t.Address, c.listed); why != "" {
		return nil, why, nil
	}
	if host != nil && host.HostKey != "" {
		t.HostKey = host.HostKey
		return t, "", nil
	}
	if !trusted {
		return nil, "", c.unpinned(id)
	}
	if !c.listed {
		if why, err = c.moved(ctx, check); why != "" || err != nil {
			return nil, why, err
		}
	}
	t.First = func(ctx context.Context, key string) (string, error) { return c.config.Hosts.PinHostKey(ctx, id, key) }
	return t, "", nil
}

// unpinned says that no host key is known, and how it becomes known.
func (c *Checker) unpinned(id string) error {
	out := hint.New("write", "hosts/"+id, "host_key="+hint.File("host_key"))
	first := "trust_on_first_use=true there"
	if !c.listed {
		out = hint.New("write", "hosts/"+id, "connection="+c.config.Connection, "host_key="+hint.File("host_key"))
		first = "check_trust_on_first_use=true of the role"
	}
	return &cloud.Error{Kind: cloud.Refused, Hint: out, Message: "no host key of " + id + " is pinned, so nothing was sent to it; give it, " +
		"or allow the first one that it shows to be pinned, with " + first + ": " + out.String()}
}

// moved asks the cloud whether the server still has the address, before the key that is shown there is taken for the server's.
func (c *Checker) moved(ctx context.Context, check cloud.PasswordCheck) (why string, err error) {
	found, err := c.provider.DescribeInstances(ctx, []string{check.InstanceID})
	if err != nil {
		return "", err
	}
	for _, i := range found {
		if i.ID != check.InstanceID {
			continue
		}
		for _, kind := range cloud.AddressKinds() {
			if kind.Of(i) == check.Address {
				return "", nil
			}
		}
		return "the server had the address " + check.Address + " when the instances were looked at last, and has it no more; the next look, at " +
			"most ten minutes later, finds its new one", nil
	}
	return "", cloud.Errorf(cloud.NotFound, "instance %s does not exist any more", check.InstanceID)
}
