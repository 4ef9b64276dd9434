package aws

import (
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field; none repeats a secret.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return fmt.Errorf("region: required for provider %s, for example eu-central-1", Name)
	}
	if err := validateKeys(cfg); err != nil {
		return err
	}
	for key, raw := range cfg.Endpoints {
		switch key {
		case endpointEC2, endpointSTS, endpointIAM, endpointSSM:
		default:
			return fmt.Errorf("endpoints: provider %s has no service %q; it has ec2, sts, iam and ssm", Name, key)
		}
		if err := cloud.ValidateURL("endpoints."+key, raw); err != nil {
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
	case cfg.Text(cloud.AccessKey) == "" && cfg.Text(cloud.SecretKey) == "":
		return fmt.Errorf("access_key, secret_key: required for provider %s; or write use_ambient_credentials=true to use what the environment of the Vault server supplies", Name)
	case cfg.Text(cloud.AccessKey) == "":
		return errors.New("access_key: required together with secret_key")
	case cfg.Text(cloud.SecretKey) == "":
		return errors.New("secret_key: required together with access_key")
	}
	return nil
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	if cfg.Text(cloud.RoleARN) == "" {
		if cfg.Text(cloud.ExternalID) != "" {
			return errors.New("external_id: only used together with role_arn; set that, or leave external_id out")
		}
		return nil
	}
	region := cfg.Text(cloud.Region)
	switch partition, own := partitionOfRole(cfg.Text(cloud.RoleARN)), partitionOf(region); {
	case partition != own:
		return fmt.Errorf("role_arn: a role of partition %s cannot be used in region %s, which belongs to partition %s; name a role of that (arn:%s:iam::...)",
			partition, region, own, own)
	case cloud.EndpointMissing(cfg.Endpoints, endpointEC2, endpointSTS):
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.ec2, as credentials for one's own EC2 endpoint are not taken to Amazon's STS "+
			"unasked; if they are meant for that, set it to https://sts.%s.amazonaws.com or its like in the region's partition", region)
	}
	return nil
}
