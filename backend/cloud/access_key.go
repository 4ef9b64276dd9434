package cloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CheckAccessKey checks that a connection has exactly one source of the keys that sign its requests: AccessKey with
// SecretKey, or AmbientCredentials; and that an external id goes with a role. keys is what to give, for who has given
// neither. Errors name the field and repeat no value.
func (c Config) CheckAccessKey(keys string) error {
	hasKey, hasSecret := c.Text(AccessKey) != "", c.Text(SecretKey) != ""
	switch ambient := c.Flag(AmbientCredentials); {
	case ambient && (hasKey || hasSecret):
		return errors.New("use_ambient_credentials: contradicts access_key and secret_key; unset those, or write use_ambient_credentials=false")
	case !ambient && !hasKey && !hasSecret:
		return fmt.Errorf("access_key, secret_key: required; give %s, "+
			"or write use_ambient_credentials=true to use what the environment of the Vault server supplies", keys)
	case !ambient && !hasKey:
		return errors.New("access_key: required together with secret_key")
	case !ambient && !hasSecret:
		return errors.New("secret_key: required together with access_key")
	case c.Text(RoleARN) == "" && c.Text(ExternalID) != "":
		return errors.New("external_id: only used together with role_arn; set that, or leave external_id out")
	}
	return nil
}

// CheckEndpoints checks the URLs of services that an operator has given a connection.
func (c Config) CheckEndpoints(services []string) error {
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		if !slices.Contains(services, service) {
			return fmt.Errorf("endpoints: the provider has no service %q; it has %s", service, strings.Join(services, ", "))
		}
		if err := ValidateURL("endpoints."+service, c.Endpoints[service]); err != nil {
			return err
		}
	}
	return nil
}
