package ssh

import (
	"errors"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// requestsPerSecond is how many sessions a second begin. A host has few of them; what bounds it is this machine and the jump host.
const requestsPerSecond = 20

// Descriptor describes the provider to the backend. There are no initial passwords: no cloud keeps any.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Servers by SSH",
		New:                      New,
		Fields:                   fields(),
		Complete:                 complete,
		Derived:                  []cloud.DerivedField{{Name: "public_key", Description: publicKeyDescription, Value: publicKey}},
		CredentialName:           keyID,
		Validate:                 validate,
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource:               "a session costs this machine some milliseconds of signing, and each host sees its own only",
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodCommand}},
		CheckMethods:             []string{cloud.CheckCommand},
		HasHosts:                 true,
	}
}

const publicKeyDescription = "The public half of private_key, as a line for authorized_keys of login_user on the hosts."

// complete makes the key that a write asks for.
func complete(_, next cloud.Values) (cloud.Values, error) {
	if !next.Flag(fieldGenerateKey) {
		return next.With(cloud.Values{fieldGenerateKey.Name: ""}), nil
	}
	if next.Text(fieldPrivateKey) != "" {
		return nil, errors.New("generate_key: the connection has a private_key; rotate-root/ replaces that by a new one on all hosts, or " +
			"write private_key= (empty) as well, if no host has it")
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return next.With(cloud.Values{fieldPrivateKey.Name: key, fieldGenerateKey.Name: ""}), nil
}

// validate checks what a connection's fields are together. Its errors name the field and never hold a value of a secret one.
func validate(cfg cloud.Config) error {
	switch {
	case cfg.Text(fieldLoginUser) == "":
		return errors.New("login_user: required; it is the user that logs in to the hosts")
	case cfg.Text(fieldPrivateKey) == "":
		return errors.New("private_key: required; give one, or write generate_key=true to have one made, whose public half is read as public_key")
	case cfg.Text(fieldProxyJump) != "" && cfg.Text(fieldProxyJumpHostKey) == "":
		return errors.New("proxy_jump_host_key: required with proxy_jump; give one line of: ssh-keyscan HOST")
	case cfg.Text(fieldProxyJump) == "" && cfg.Text(fieldProxyJumpHostKey) != "":
		return errors.New("proxy_jump_host_key: goes with proxy_jump; give that, or leave this one out")
	}
	if _, err := parseKey(cfg.Text(fieldPrivateKey)); err != nil {
		return errors.New("private_key: " + err.Error())
	}
	if _, err := jumpOf(cfg.Values); err != nil {
		return errors.New("proxy_jump: " + strings.TrimSpace(err.Error()))
	}
	return cfg.CheckEndpoints(nil)
}

// New makes the provider of a validated connection. It sends nothing.
func New(cfg cloud.Config) (cloud.Provider, error) { return newProvider(cfg) }

func newProvider(cfg cloud.Config) (*provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.Limiter == nil {
		cfg.Limiter = cloud.Unlimited{}
	}
	if cfg.Hosts == nil {
		cfg.Hosts = noHosts{}
	}
	signer, err := parseKey(cfg.Text(fieldPrivateKey))
	if err != nil {
		return nil, err
	}
	jump, err := jumpOf(cfg.Values)
	if err != nil {
		return nil, err
	}
	p := &provider{
		cfg: cfg, keys: keys{signer}, jump: jump, options: sshclient.Options{Timeout: cfg.RequestTimeout},
		turns: newTurns(sessionsOf(cfg.Values)),
		runs:  &runs{}, hashing: guest.NewHashing(), guests: &guest.Keys{},
	}
	if err := p.keepPrevious(cfg.Text(fieldPreviousKey)); err != nil {
		return nil, err
	}
	return p, nil
}
