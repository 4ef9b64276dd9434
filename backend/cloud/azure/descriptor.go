package azure

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// requestsPerSecond keeps PUT and DELETE of run commands, which share a bucket of 500 a minute in a subscription and region, below it.
const requestsPerSecond = 8

// Descriptor describes the provider to the backend. It has no initial passwords: the cloud keeps none that could be read.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Microsoft Azure virtual machines",
		New:                      New,
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             endpointKeys,
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource: "Azure Compute takes 500 changes of virtual machines a minute in a subscription and region " +
			"(compute-throttling-limits), run commands and their deletion together",
		ResetMethods: []cloud.ResetMethod{{Name: cloud.MethodCommand}},
		CheckMethods: []string{cloud.CheckCommand},
		Addressed:    true,
	}
}

// New makes the provider of a validated connection. It sends nothing.
func New(cfg cloud.Config) (cloud.Provider, error) { return newProvider(cfg, newMetadata()) }

func newProvider(cfg cloud.Config, m metadata) (*provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil {
		return nil, errors.New("azure: no HTTP client given")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = cloud.Unlimited{}
	}
	return &provider{
		sender: sender{newClient(cfg), cfg.Limiter, cfg.RequestTimeout, tokensOf(cfg, m)}, cfg: cfg,
		subscription: cfg.Text(fieldSubscriptionID), hashing: guest.NewHashing(), guests: &guest.Keys{}, poll: pollInterval,
		vms: newDirectory(), relist: relist,
	}, nil
}
