package aws

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// defaultRate is the default of max_requests_per_second, in requests per second and API action. EC2
// refills the bucket of a reading action by 20 requests a second, for the whole account in the
// region; half of it is left to everybody else. No page states the limits of Systems Manager's actions, of
// which a reset takes three: throttling by it is waited for like any other.
const (
	defaultRate = 10
	rateSource  = "half of the 20 requests a second by which EC2 refills the bucket of a reading action, per account " +
		"and region (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)"
)

// Descriptor returns the provider's description for the registry.
func Descriptor() cloud.Descriptor {
	return cloud.Descriptor{
		Name:                     Name,
		Title:                    "Amazon EC2",
		New:                      New,
		Fields:                   fields(),
		Validate:                 validate,
		EndpointKeys:             endpointKeys,
		DefaultRequestsPerSecond: defaultRate,
		RateSource:               rateSource,
		HasInitialPassword:       true,
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodCommand}},
		CheckMethods:             []string{cloud.CheckCommand},
		Addressed:                true,
		UsualInitialDelay:        initialPasswordDelay,
	}
}

// New makes a provider from a connection. It sends nothing. An error means that the configuration
// cannot work and names the field.
func New(cfg cloud.Config) (cloud.Provider, error) {
	if err := Descriptor().Check(cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPClient == nil || cfg.Limiter == nil {
		return nil, errors.New("provider aws: the connection has no HTTP client or no limiter")
	}
	return newProvider(cfg), nil
}
