package azure

import (
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// validate checks what a connection's fields are together. Its errors name the field and never hold a value of a
// secret one.
func validate(cfg cloud.Config) error {
	if cfg.Text(fieldSubscriptionID) == "" {
		return errors.New("subscription_id: required; it is the id of the subscription that the virtual machines belong to")
	}
	if err := validateCredentials(cfg); err != nil {
		return err
	}
	if err := cfg.CheckEndpoints(endpointKeys); err != nil {
		return err
	}
	return validateEndpoints(cfg)
}

// validateCredentials checks that a connection has exactly one source of tokens.
func validateCredentials(cfg cloud.Config) error {
	if cfg.Flag(cloud.AmbientCredentials) {
		if cfg.Text(fieldClientSecret) != "" {
			return errors.New("use_ambient_credentials: contradicts client_secret; unset that, or write use_ambient_credentials=false")
		}
		return nil
	}
	for _, f := range []cloud.Field{fieldTenantID, fieldClientID, fieldClientSecret} {
		if cfg.Text(f) == "" {
			return fmt.Errorf("%s: required; give tenant_id, client_id and client_secret of an application (Entra admin center, App "+
				"registrations), or write use_ambient_credentials=true to use what the environment of the Vault server supplies", f.Name)
		}
	}
	return nil
}

// validateEndpoints checks to whom secrets and tokens would go. A bearer token serves whoever gets it.
func validateEndpoints(cfg cloud.Config) error {
	if cfg.Flag(cloud.AmbientCredentials) {
		for _, key := range endpointKeys {
			if own := cfg.Endpoints[key]; own != "" && !simulated(own) {
				return fmt.Errorf("endpoints.%s: refused together with use_ambient_credentials, as a token of the Vault server's own "+
					"identity would be handed to whoever answers there; give tenant_id, client_id and client_secret instead", key)
			}
		}
	}
	if cloud.EndpointMissing(cfg.Endpoints, endpointARM, endpointLogin) {
		return fmt.Errorf("endpoints.login: required together with endpoints.arm, as credentials for your own endpoint are not sent to "+
			"Microsoft's login by default; to send them there, set it to %s", placeOf(cfg).login)
	}
	return nil
}
