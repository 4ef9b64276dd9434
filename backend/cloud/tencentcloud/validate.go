package tencentcloud

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var (
	// regionForm covers the regions of the SDK's list (common/regions), finance and open regions
	// included, without being a list: new regions appear.
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]{1,24}){1,3}$`)
	// accessKeyForm keeps a credential usable in the Authorization header, which separates its parts by
	// blanks, commas and slashes.
	accessKeyForm = regexp.MustCompile(`^[!-+\-.0-~]{1,256}$`)
	secretKeyForm = regexp.MustCompile(`^[!-~]{1,256}$`)
	// roleARNForm covers the four forms of AssumeRole's page (product/1150/49456): roles and service
	// roles, by id and by name.
	roleARNForm = regexp.MustCompile(`^qcs::cam::uin/[0-9]{1,20}:(role|roleName)/(tencentcloudServiceRole(Name)?/)?[\w+=,.@-]{1,128}$`)
	// externalIDForm is that of the same page.
	externalIDForm = regexp.MustCompile(`^[\w+=,.@:/-]{2,128}$`)
)

// validate checks what the provider asks of a connection. Its errors name the field and never hold
// a value of a secret one.
func validate(cfg cloud.Config) error {
	if cfg.Region == "" {
		return errors.New("region: required, for example ap-guangzhou or eu-frankfurt")
	}
	if !regionForm.MatchString(cfg.Region) {
		return fmt.Errorf("region: %q is not the name of a Tencent Cloud region, such as ap-guangzhou (a zone such as ap-guangzhou-3 names a part of it)", cfg.Region)
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
	case cfg.UseAmbientCredentials && (cfg.AccessKey != "" || cfg.SecretKey != ""):
		return errors.New("use_ambient_credentials: contradicts access_key and secret_key; unset those, or write use_ambient_credentials=false")
	case cfg.UseAmbientCredentials:
		return nil
	case cfg.AccessKey == "":
		return errors.New("access_key: required; give the SecretId of an API key (CAM console, API keys), " +
			"or write use_ambient_credentials=true to use what the environment of the Vault server supplies")
	case !accessKeyForm.MatchString(cfg.AccessKey):
		return errors.New("access_key: not a SecretId; it holds a character that none has, maybe a blank or a line break")
	case cfg.SecretKey == "":
		return errors.New("secret_key: required; give the SecretKey that belongs to access_key")
	case !secretKeyForm.MatchString(cfg.SecretKey):
		return errors.New("secret_key: not a SecretKey; it holds a character that none has, maybe a blank or a line break")
	}
	return nil
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	switch {
	case cfg.RoleARN == "" && cfg.ExternalID != "":
		return errors.New("external_id: only used together with role_arn; set that, or leave external_id out")
	case cfg.RoleARN == "":
		return nil
	case !roleARNForm.MatchString(cfg.RoleARN):
		return fmt.Errorf("role_arn: %.80q is not the name of a role, such as qcs::cam::uin/100000000001:roleName/cloudpw", cfg.RoleARN)
	case cfg.ExternalID != "" && !externalIDForm.MatchString(cfg.ExternalID):
		return errors.New("external_id: must be 2 to 128 letters, digits or characters of _+=,.@:/-")
	case cloud.EndpointMissing(cfg.Endpoints, endpointCVM, endpointSTS):
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.cvm, as keys for one's own CVM endpoint are not taken to Tencent Cloud's STS "+
			"unasked; if they are meant for that, set it to https://%s", defaultHost(endpointSTS, cfg.Region))
	}
	return nil
}
