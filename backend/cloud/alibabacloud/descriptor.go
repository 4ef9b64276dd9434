package alibabacloud

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// requestsPerSecond stays below what accounts are known to have. The cloud counts by account, API and region, and shows
// the figures in its Quota Center only.
const requestsPerSecond = 10

// Descriptor describes the provider to the backend. It has no initial passwords: the cloud keeps none that could be read.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Alibaba Cloud ECS",
		New:                      New,
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             endpointKeys,
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource:               "conservative: Alibaba Cloud tells the limits of each account and API in its Quota Center only",
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodCommand}},
		CheckMethods:             []string{cloud.CheckCommand},
		Addressed:                true,
	}
}

// New makes the provider of a validated connection. It sends nothing.
func New(cfg cloud.Config) (cloud.Provider, error) {
	return newProvider(cfg, newAmbient())
}

func newProvider(cfg cloud.Config, environment *ambient) (*provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil {
		return nil, errors.New("alibabacloud: no HTTP client given")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = cloud.Unlimited{}
	}
	c := newClient(cfg)
	source := newKeySource(cfg, c, environment)
	return &provider{
		sender: sender{c, cfg.Limiter, cfg.RequestTimeout, source}, cfg: cfg, hashing: guest.NewHashing(), guests: &guest.Keys{},
		poll: pollInterval,
	}, nil
}
