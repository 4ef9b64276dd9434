package openstack

import (
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// defaultRequestsPerSecond stays far below the only published figure, the API gateway's 200 requests
// a second for one API, since the limits of the ECS service itself are not published.
const (
	defaultRequestsPerSecond = 10
	rateSourcePlain          = "conservative: Nova has no limit of its own, operators set one in front of it or none"
	rateSource               = "conservative: the API gateway allows 200 requests a second for one API (API Request Signing Guide, " +
		"APIGW.0308), ECS publishes no limit of its own"
)

// Descriptors returns the providers of this package, for the registry.
func Descriptors() []cloud.Descriptor {
	return []cloud.Descriptor{huawei().descriptor(), telekom().descriptor(), plainOpenStack().descriptor()}
}

func (f family) descriptor() cloud.Descriptor {
	source := rateSource
	if f.plain {
		source = rateSourcePlain
	}
	var methods []cloud.ResetMethod
	var checks []string
	switch {
	case f.plain:
		methods = []cloud.ResetMethod{{Name: cloud.MethodAPI}}
	case f.cocURL != nil:
		methods, checks = []cloud.ResetMethod{{Name: cloud.MethodCommand}}, []string{cloud.CheckCommand}
	}
	return cloud.Descriptor{
		Name:                     f.name,
		Title:                    f.title,
		New:                      func(cfg cloud.Config) (cloud.Provider, error) { return f.open(cfg, 0) },
		Fields:                   f.fields(),
		Validate:                 f.validate,
		EndpointKeys:             f.endpointKeys(),
		DefaultRequestsPerSecond: defaultRequestsPerSecond,
		RateSource:               source,
		HasInitialPassword:       true,
		CanClearInitial:          true,
		ResetMethods:             methods,
		CheckMethods:             checks,
		Addressed:                true,
		UsualInitialDelay:        initialPasswordDelay,
	}
}

// open makes a provider of the family that can do what the descriptor says. poll is how often an order of COC is looked at; 0: as
// usual.
func (f family) open(cfg cloud.Config, poll time.Duration) (cloud.Provider, error) {
	p, err := newProvider(f, cfg)
	if err != nil || f.cocURL == nil {
		return p, err
	}
	return newCommander(p, cfg, poll), nil
}

// newProvider makes a provider of the family, without scripts in servers. It sends nothing.
func newProvider(f family, cfg cloud.Config) (*provider, error) {
	return newProviderIn(f, cfg, f.newAmbient())
}

// newProviderIn is newProvider in an environment.
func newProviderIn(f family, cfg cloud.Config, environment *ambient) (*provider, error) {
	if err := f.descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil || cfg.Limiter == nil {
		return nil, errors.New("openstack: a provider needs an HTTP client and a limiter")
	}
	base := newSender(f, cfg, environment)
	p := &provider{sender: base, rotator: newRotator(f, base, cfg)}
	if cfg.Text(fieldAgencyName) != "" {
		p.sender = assuming(base, cfg, environment)
	}
	return p, nil
}

// newRotator chooses how the connection's credentials are replaced: its own, also where it works as an agency with them.
func newRotator(f family, d *sender, cfg cloud.Config) rotator {
	switch {
	case cfg.Text(cloud.AccessKey) != "":
		return &accessKeys{
			sender: d, used: cfg.Text(cloud.AccessKey), home: &homeDomain{sender: d}, temporary: cfg.Text(fieldSecurityToken) != "",
		}
	case cfg.Flag(cloud.AmbientCredentials):
		return ambientRotation{}
	case f.applicationCredentials:
		return &applicationCredentials{sender: d, used: cfg.Text(fieldApplicationCredentialID), user: cfg.Text(fieldUsername)}
	}
	return noRotation{sender: d, user: cfg.Text(fieldUsername)}
}
