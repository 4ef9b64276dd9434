package example

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Name is the value of a connection's provider field.
const Name = "example"

// Descriptor describes the provider. A real one takes no parameter: New makes the SDK's client of cfg, with cfg.HTTPClient, the
// only client that may be used. It refuses addresses inside Vault's network, and requests whose time to be sent is over.
func Descriptor(connect func(cfg cloud.Config) API) cloud.Descriptor {
	return cloud.Descriptor{
		Name:  Name,
		Title: "Example",
		New: func(cfg cloud.Config) (cloud.Provider, error) {
			return &provider{api: connect(cfg), limiter: cfg.Limiter, secret: cfg.Text(cloud.SecretKey)}, nil
		},
		// Fields that other providers have as well are taken from package cloud; package ownfields shows fields that no other has.
		Fields:                   []cloud.Field{cloud.Region, cloud.AccessKey, cloud.SecretKey},
		Validate:                 validate,
		DefaultRequestsPerSecond: 10,
		RateSource:               "the cloud has no limit",
		ResetMethods:             []cloud.ResetMethod{{Name: cloud.MethodAPI, MayStop: true}},
	}
}

// validate checks what the fields are together. Each by itself has been checked before.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return errors.New("region: required, for example eu-1")
	}
	return cfg.CheckAccessKey("the key of a user of the cloud")
}
