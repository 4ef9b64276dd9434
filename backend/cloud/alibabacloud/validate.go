package alibabacloud

import (
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field and never hold a value of a
// secret one.
func validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" {
		return errors.New("region: required, for example eu-central-1 or cn-hangzhou")
	}
	if err := cfg.CheckAccessKey("an AccessKey ID and its secret, of a RAM user (RAM console, Users, Create AccessKey)"); err != nil {
		return err
	}
	if err := cfg.CheckEndpoints(endpointKeys); err != nil {
		return err
	}
	return validateRole(cfg)
}

// validateRole checks the role to assume.
func validateRole(cfg cloud.Config) error {
	if cfg.Text(cloud.RoleARN) != "" && cloud.EndpointMissing(cfg.Endpoints, endpointECS, endpointSTS) {
		return fmt.Errorf("endpoints.sts: required together with role_arn and endpoints.ecs, "+
			"as keys for your own ECS endpoint are not sent to Alibaba Cloud's STS by default; "+
			"to send them there, set it to %s", defaultURL(endpointSTS, cfg.Text(cloud.Region)))
	}
	return nil
}
