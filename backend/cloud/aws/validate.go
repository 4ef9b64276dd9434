package aws

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Forms of the credential fields.
var (
	// Access key ids: at most 128 word characters (IAM API reference, AccessKey). Its lower bound of
	// 16 is left to the cloud, as private EC2 endpoints hand out shorter ones.
	accessKeyForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,128}$`)
	// Access key ids of temporary credentials begin with ASIA (IAM user guide, "IAM identifiers", unique id
	// prefixes). Ids of AWS have 20 characters, those of private EC2 endpoints need not.
	sessionKeyForm = regexp.MustCompile(`^ASIA[A-Z0-9]{16}$`)
	// Role ARNs: paths of at most 512 and names of at most 64 characters (IAM API reference, Role).
	roleARNForm = regexp.MustCompile(`^arn:(aws(?:-[a-z]+)*):iam::[0-9]{12}:role/(?:[!-.0-~]+/)*[\w+=,.@-]{1,64}$`)
	// External ids: 2 to 1224 of these (STS API reference, AssumeRole).
	externalIDForm = regexp.MustCompile(`^[\w+=,.@:/\\-]{2,}$`)
)

// The longest values that AssumeRole takes, in characters (STS API reference).
const (
	maxRoleARN    = 2048
	maxExternalID = 1224
)

// Validate checks a connection's fields as far as that is possible without asking the cloud. Its
// errors name the field; none repeats a secret.
func Validate(cfg cloud.Config) error {
	switch {
	case cfg.Region == "":
		return fmt.Errorf("region: required for provider %s, for example eu-central-1", Name)
	case !regionForm.MatchString(cfg.Region):
		return fmt.Errorf("region: %q is not the name of an AWS region such as eu-central-1 or cn-north-1", cfg.Region)
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
	case cfg.UseAmbientCredentials && (cfg.AccessKey != "" || cfg.SecretKey != ""):
		return errors.New("use_ambient_credentials: contradicts access_key and secret_key; unset those, or write use_ambient_credentials=false")
	case cfg.UseAmbientCredentials:
		return nil
	case cfg.AccessKey == "" && cfg.SecretKey == "":
		return fmt.Errorf("access_key, secret_key: required for provider %s; or write use_ambient_credentials=true to use what the environment of the Vault server supplies", Name)
	case cfg.AccessKey == "":
		return errors.New("access_key: required together with secret_key")
	case cfg.SecretKey == "":
		return errors.New("secret_key: required together with access_key")
	case sessionKeyForm.MatchString(cfg.AccessKey):
		return errors.New("access_key: belongs to a session (ASIA...) and is worth nothing without its token, which cloudpw does not take as it ends within hours; " +
			"use the access key of an IAM user (AKIA...), or use_ambient_credentials=true where the Vault server has a role")
	case !accessKeyForm.MatchString(cfg.AccessKey):
		return errors.New("access_key: not an access key id; it has only letters and digits, for example AKIAIOSFODNN7EXAMPLE")
	}
	return nil
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	if cfg.RoleARN == "" {
		if cfg.ExternalID != "" {
			return errors.New("external_id: only used together with role_arn; set that, or leave external_id out")
		}
		return nil
	}
	parts := roleARNForm.FindStringSubmatch(cfg.RoleARN)
	switch {
	case parts == nil || len(cfg.RoleARN) > maxRoleARN:
		return fmt.Errorf("role_arn: %.80q is not the ARN of a role, such as arn:aws:iam::123456789012:role/cloudpw", cfg.RoleARN)
	case parts[1] != partitionOf(cfg.Region):
		return fmt.Errorf("role_arn: a role of partition %s cannot be used in region %s, which belongs to partition %s; name a role of that (arn:%s:iam::...)",
			parts[1], cfg.Region, partitionOf(cfg.Region), partitionOf(cfg.Region))
	case cfg.ExternalID != "" && (!externalIDForm.MatchString(cfg.ExternalID) || len(cfg.ExternalID) > maxExternalID):
		return errors.New(`external_id: must be 2 to 1224 letters, digits or characters of _+=,.@:/\-`)
	case cloud.EndpointMissing(cfg.Endpoints, endpointEC2, endpointSTS):
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.ec2, as credentials for one's own EC2 endpoint are not taken to Amazon's STS "+
			"unasked; if they are meant for that, set it to https://sts.%s.amazonaws.com or its like in the region's partition", cfg.Region)
	}
	return nil
}
