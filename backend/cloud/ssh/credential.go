package ssh

import (
	"cmp"
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

var _ cloud.CredentialRotator = (*provider)(nil)

// keyID is the id of a connection's key pair: the fingerprint, as OpenSSH and sshd's log write it. "" for no key.
func keyID(v cloud.Values) string { return fingerprintOf(v.Text(fieldPrivateKey)) }

func fingerprintOf(private string) string {
	signer, err := parseKey(private)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(signer.PublicKey())
}

// keepPrevious has the provider use the key that is replaced as well, if there is one, and replace it.
func (p *provider) keepPrevious(private string) error {
	if private == "" {
		return nil
	}
	before, err := parseKey(private)
	if err != nil {
		return err
	}
	now := p.keys[0]
	login := func(ctx context.Context, at spot, signers ...ssh.Signer) (session, error) {
		client, err := sshclient.Dial(ctx, at.target, signers, p.options)
		if err != nil {
			return nil, err
		}
		return client, nil
	}
	p.roller = &roller{now: now, before: before, login: login}
	p.keys = p.roller.signers()
	return nil
}

// OwnCredentials implements cloud.CredentialRotator. It asks no host.
func (p *provider) OwnCredentials(context.Context) ([]cloud.OwnCredential, error) {
	own := []cloud.OwnCredential{{ID: keyID(p.cfg.Values), InUse: true}}
	if p.roller != nil {
		own = append(own, cloud.OwnCredential{ID: ssh.FingerprintSHA256(p.roller.before.PublicKey())})
	}
	return own, nil
}

// CheckRotation implements cloud.CredentialRotator.
func (p *provider) CheckRotation() error { return nil }

// CreateCredential implements cloud.CredentialRotator. It asks no host: the new key is stored before one is told of it.
func (p *provider) CreateCredential(context.Context) (cloud.Values, error) {
	if p.roller != nil {
		return nil, cloud.Errorf(cloud.Refused, "the key before the present one is still in use; finish that rotation first")
	}
	key, err := newKey()
	if err != nil {
		return nil, cloud.Errorf(cloud.Refused, "%v", err)
	}
	return cloud.Values{fieldPrivateKey.Name: key, fieldPreviousKey.Name: p.cfg.Text(fieldPrivateKey)}, nil
}

// DeleteCredential implements cloud.CredentialRotator for the key before the present one: each host gets the present one, and loses that
// one. Of any other key no host was told, or what it was told was taken back.
func (p *provider) DeleteCredential(ctx context.Context, id string) error {
	switch {
	case id == keyID(p.cfg.Values):
		return cloud.Errorf(cloud.Refused, "the connection uses the key %s", id)
	case p.roller == nil || id != ssh.FingerprintSHA256(p.roller.before.PublicKey()):
		return nil
	}
	hosts, err := p.cfg.Hosts.Hosts(ctx)
	if err != nil {
		return inventoryFailed(err)
	}
	all := p.jumpSpot()
	for _, h := range hosts {
		all = append(all, p.spot(h))
	}
	// The other half of the sessions is for passwords.
	return p.roller.rollAll(ctx, all, max(1, sessionsOf(p.cfg.Values)/2), rollPass, p.inTurn)
}

// proveKey logs in to a host with the present key, which it is told of where it has to be, and to the jump host before it.
func (p *provider) proveKey(ctx context.Context, h cloud.Host) error {
	for _, at := range append(p.jumpSpot(), p.spot(h)) {
		if err := p.inTurn(ctx, at, func(ctx context.Context) error { return p.roller.prove(ctx, at) }); err != nil {
			return err
		}
	}
	return nil
}

// followRoll rolls the host of a session that has done its work, if that has let in the key before.
func (p *provider) followRoll(ctx context.Context, h cloud.Host, client *sshclient.Client) {
	if p.roller != nil {
		p.roller.follow(ctx, p.spot(h), client)
	}
}

// inTurn does something at a spot when the limiter and the other sessions let it.
func (p *provider) inTurn(ctx context.Context, at spot, do func(context.Context) error) error {
	if err := p.cfg.Limiter.Wait(ctx, actionRoll); err != nil {
		return err
	}
	leave, err := p.turns.enter(ctx, at.name)
	if err != nil {
		return err
	}
	defer leave()
	return do(ctx)
}

// actionRoll is the limiter's name of bringing a key to a host.
const actionRoll = "roll"

// spot is a host as a place of the key. Another address or user is another place.
func (p *provider) spot(h cloud.Host) spot {
	t := p.target(h)
	return spot{name: h.Name, serial: fmt.Sprint(h.Serial, " ", t.User, "@", t.Address, ":", t.Port), platform: h.Platform, target: t}
}

// jumpSpot is the jump host, if there is one: it has to let the key in, too.
func (p *provider) jumpSpot() []spot {
	if p.jump == nil {
		return nil
	}
	name := "the jump host " + p.jump.Address
	return []spot{{name: name, isJump: true, platform: cloud.Linux, target: sshclient.Target{
		Name: name, Address: p.jump.Address, Port: cmp.Or(p.jump.Port, cloud.SSHPort), User: p.jump.User, HostKey: p.jump.HostKey,
	}}}
}
