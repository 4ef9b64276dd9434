package aws

import (
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field; none repeats a secret.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return fmt.Errorf("region: required for provider %s, for example eu-central-1", Name)
	}
	if err := cfg.CheckAccessKey("the access key of an IAM user"); err != nil {
		return err
	}
	if err := cfg.CheckEndpoints(endpointKeys); err != nil {
		return err
	}
	return validateRole(cfg)
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	if cfg.Text(cloud.RoleARN) == "" {
		return nil
	}
	region := cfg.Text(cloud.Region)
	switch partition, own := partitionOfRole(cfg.Text(cloud.RoleARN)), partitionOf(region); {
	case partition != own:
		return fmt.Errorf("role_arn: a role of partition %s cannot be used in region %s, which belongs to partition %s; name a role of that "+
			"(arn:%s:iam::...)",
			partition, region, own, own)
	case cloud.EndpointMissing(cfg.Endpoints, endpointEC2, endpointSTS):
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.ec2, as credentials for your own EC2 endpoint are "+
			"not sent to Amazon's STS by default; to send them there, set it to https://sts.%s.amazonaws.com, or to the host of STS in the "+
			"region's partition", region)
	}
	return nil
}
