package tencentcloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field and never hold a value of a
// secret one.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return errors.New("region: required, for example ap-guangzhou or eu-frankfurt")
	}
	if err := validateKeys(cfg); err != nil {
		return err
	}
	for key, url := range cfg.Endpoints {
		if !slices.Contains(Descriptor().EndpointKeys, key) {
			return fmt.Errorf("endpoints: %q is not a service of this provider; use %s", key, strings.Join(Descriptor().EndpointKeys, ", "))
		}
		if err := cloud.ValidateURL("endpoints."+key, url); err != nil {
			return err
		}
	}
	return validateRole(cfg)
}

// validateKeys checks that there is exactly one source of keys.
func validateKeys(cfg cloud.Config) error {
	switch {
	case cfg.Flag(cloud.AmbientCredentials) && (cfg.Text(cloud.AccessKey) != "" || cfg.Text(cloud.SecretKey) != ""):
		return errors.New("use_ambient_credentials: contradicts access_key and secret_key; unset those, or write use_ambient_credentials=false")
	case cfg.Flag(cloud.AmbientCredentials):
		return nil
	case cfg.Text(cloud.AccessKey) == "":
		return errors.New("access_key: required; give the SecretId of an API key (CAM console, API keys), " +
			"or write use_ambient_credentials=true to use what the environment of the Vault server supplies")
	case cfg.Text(cloud.SecretKey) == "":
		return errors.New("secret_key: required; give the SecretKey that belongs to access_key")
	}
	return nil
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	switch {
	case cfg.Text(cloud.RoleARN) == "" && cfg.Text(cloud.ExternalID) != "":
		return errors.New("external_id: only used together with role_arn; set that, or leave external_id out")
	case cfg.Text(cloud.RoleARN) == "":
		return nil
	case cloud.EndpointMissing(cfg.Endpoints, endpointCVM, endpointSTS):
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.cvm, as keys for one's own CVM endpoint are not taken to Tencent Cloud's STS "+
			"unasked; if they are meant for that, set it to https://%s", defaultHost(endpointSTS, cfg.Text(cloud.Region)))
	}
	return nil
}
