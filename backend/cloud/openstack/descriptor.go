package openstack

import (
	"errors"

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
	if f.plain {
		methods = []cloud.ResetMethod{{Name: cloud.MethodAPI}}
	}
	return cloud.Descriptor{
		Name:                     f.name,
		Title:                    f.title,
		New:                      func(cfg cloud.Config) (cloud.Provider, error) { return newProvider(f, cfg) },
		Fields:                   f.fields(),
		Validate:                 f.validate,
		EndpointKeys:             f.endpointKeys(),
		DefaultRequestsPerSecond: defaultRequestsPerSecond,
		RateSource:               source,
		HasInitialPassword:       true,
		CanClearInitial:          true,
		ResetMethods:             methods,
		UsualInitialDelay:        initialPasswordDelay,
	}
}

// newProvider makes a provider of the family. It sends nothing.
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
		p.sender = base.assuming(cfg)
	}
	return p, nil
}

// newRotator chooses how the connection's credentials are replaced: its own, also where it works as an agency with them.
func newRotator(f family, d *sender, cfg cloud.Config) rotator {
	switch {
	case cfg.Text(cloud.AccessKey) != "":
		return &accessKeys{sender: d, used: cfg.Text(cloud.AccessKey), home: &homeDomain{sender: d}, temporary: cfg.Text(fieldSecurityToken) != ""}
	case cfg.Flag(cloud.AmbientCredentials):
		return ambientRotation{}
	case f.applicationCredentials:
		return &applicationCredentials{sender: d, used: cfg.Text(fieldApplicationCredentialID), user: cfg.Text(fieldUsername)}
	}
	return noRotation{sender: d, user: cfg.Text(fieldUsername)}
}
