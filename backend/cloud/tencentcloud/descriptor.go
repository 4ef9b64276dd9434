package tencentcloud

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// requestsPerSecond is the documented limit of each API action that the provider calls (page
// 213/33240: "A maximum of 10 requests can be initiated per second for this API").
const requestsPerSecond = 10

// Descriptor describes the provider to the backend.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Tencent Cloud CVM",
		New:                      New,
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             endpointKeys,
		DefaultRequestsPerSecond: requestsPerSecond,
		RateSource:               "tencentcloud.com/document/product/213/33240: at most 10 requests a second for each API action",
		LinkLocalDomains:         []string{rootDomain},
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodAPI, MayStop: true}, {Name: cloud.MethodCommand}},
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
		return nil, errors.New("tencentcloud: no HTTP client given")
	}
	if cfg.Limiter == nil {
		cfg.Limiter = cloud.Unlimited{}
	}
	soon := &expiry{read: cloud.ReadClocks}
	source, err := newKeySource(cfg, soon.learned(cfg), environment)
	if err != nil {
		return nil, err
	}
	return &provider{sender{cfg.Limiter, cfg.RequestTimeout, source}, cfg, guest.NewHashing(), soon, pollInterval}, nil
}
