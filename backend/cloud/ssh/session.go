package ssh

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// actionSession is the limiter's name of a connection to a host.
const actionSession = "session"

// within logs in to a host for a waiting caller, does something, and logs out. It waits for the limiter.
func (p *provider) within(ctx context.Context, h cloud.Host, do func(*sshclient.Client) error) error {
	if err := p.cfg.Limiter.Wait(ctx, actionSession); err != nil {
		return err
	}
	return p.at(ctx, h, do)
}

// at is within for a caller who has waited for the limiter.
func (p *provider) at(ctx context.Context, h cloud.Host, do func(*sshclient.Client) error) (err error) {
	leave, err := p.turns.enter(ctx, h.Name)
	if err != nil {
		return err
	}
	defer leave()
	began := time.Now()
	defer func() { cloud.Measured(p.cfg.Limiter, actionSession, began, err) }()
	client, err := sshclient.Dial(ctx, p.target(h), p.signers(), p.options)
	if err != nil {
		if cloud.KindOf(err) == cloud.Refused { // and so the host's own, not the jump host's or the caller's
			p.turns.reached(h.Name, false)
		}
		return err
	}
	p.turns.reached(h.Name, true)
	defer client.Close()
	return do(client)
}

// signers are those that log in, in the order in which they are tried.
func (p *provider) signers() []ssh.Signer { return p.keys }

// target is what the client has to know of a host.
func (p *provider) target(h cloud.Host) sshclient.Target {
	t := sshclient.Target{Name: h.Name, Address: h.Address, Port: cmp.Or(h.Port, cloud.SSHPort), User: p.loginUser(h), HostKey: h.HostKey,
		Jump: p.jump}
	if h.TrustOnFirstUse && h.HostKey == "" {
		t.First = func(ctx context.Context, key string) (string, error) { return p.cfg.Hosts.PinHostKey(ctx, h.Name, key) }
	}
	return t
}

// loginUser is who logs in to a host.
func (p *provider) loginUser(h cloud.Host) string {
	return cmp.Or(h.LoginUser, p.cfg.Text(fieldLoginUser))
}

// sudo is how the login user of a host becomes root.
func (p *provider) sudo(h cloud.Host) string {
	how := cmp.Or(h.Sudo, p.cfg.InForce(fieldSudo))
	if how == sudoAuto && p.loginUser(h) == "root" {
		return sudoNever
	}
	return how
}

// host is a host of the inventory. One that is not there is an error of kind NotFound.
func (p *provider) host(ctx context.Context, name string) (cloud.Host, error) {
	h, err := p.cfg.Hosts.Host(ctx, name)
	if err != nil {
		return cloud.Host{}, inventoryFailed(err)
	}
	if h == nil {
		return cloud.Host{}, cloud.Errorf(cloud.NotFound, "ssh: the connection has no host %s, see hosts/", name)
	}
	return *h, nil
}
