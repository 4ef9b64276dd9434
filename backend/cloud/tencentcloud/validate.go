package tencentcloud

import (
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field and never hold a value of a
// secret one.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return errors.New("region: required, for example ap-guangzhou or eu-frankfurt")
	}
	if err := cfg.CheckAccessKey("the SecretId and the SecretKey of an API key (CAM console, API keys)"); err != nil {
		return err
	}
	if err := cfg.CheckEndpoints(endpointKeys); err != nil {
		return err
	}
	return validateRole(cfg)
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	if cfg.Text(cloud.RoleARN) != "" && cloud.EndpointMissing(cfg.Endpoints, endpointCVM, endpointSTS) {
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.cvm, "+
			"as keys for your own CVM endpoint are not sent to Tencent Cloud's STS by default; "+
			"to send them there, set it to https://%s", defaultHost(endpointSTS, cfg.Text(cloud.Region)))
	}
	return nil
}
