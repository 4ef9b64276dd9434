package openstack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
)

// validate checks what a connection's fields are together. Errors name the field.
func (f family) validate(cfg cloud.Config) error {
	if cfg.Text(cloud.Region) == "" && !f.plain {
		return errors.New("region: required, for example eu-de or cn-north-4")
	}
	if err := f.validateCredentials(cfg); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		if err := f.validateEndpoint(key, cfg.Endpoints[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f family) validateCredentials(cfg cloud.Config) error {
	hasKeys := cfg.Text(cloud.AccessKey) != "" || cfg.Text(cloud.SecretKey) != ""
	hasUser := cfg.Text(fieldUsername) != "" || cfg.Text(fieldPassword) != ""
	hasApplication := cfg.Text(fieldApplicationCredentialID) != "" || cfg.Text(fieldApplicationCredentialSecret) != ""
	switch {
	case hasUser && !f.keystone:
		return fmt.Errorf("username, password: not used by %s; give access_key and secret_key", f.name)
	case hasApplication && !f.applicationCredentials:
		return fmt.Errorf("application_credential_id: %s has no application credentials; give access_key and secret_key", f.title)
	case hasKeys && !f.accessKeys:
		return fmt.Errorf("access_key: not used by %s; give application_credential_id and application_credential_secret, or username and "+
			"password", f.name)
	case hasKeys && hasUser:
		return errors.New("access_key, username: give either access_key and secret_key, or username and password, not both")
	case hasApplication && hasUser:
		return errors.New("application_credential_id, username: give either application_credential_id and application_credential_secret, or " +
			"username and password, not both")
	case hasApplication:
		return validateApplicationCredential(cfg)
	case hasUser:
		return f.validateUser(cfg)
	case f.plain:
		return errors.New("application_credential_id: required together with application_credential_secret, unless username and password are " +
			"given")
	case !hasKeys && f.keystone:
		return errors.New("access_key: required together with secret_key, unless username and password are given")
	}
	return f.validateKeys(cfg)
}

func (f family) validateKeys(cfg cloud.Config) error {
	switch {
	case cfg.Text(cloud.AccessKey) == "":
		return errors.New("access_key: required")
	case cfg.Text(cloud.SecretKey) == "":
		return errors.New("secret_key: required together with access_key")
	case cfg.Text(fieldProjectID) == "":
		return fmt.Errorf("project_id: required with access_key; %s", f.projectHint())
	}
	for _, unused := range []cloud.Field{fieldAuthURL, fieldUserDomainName, fieldProjectName, fieldProjectDomainName} {
		if cfg.Text(unused) != "" {
			return fmt.Errorf("%s: only used with username and password; remove it, or remove access_key and secret_key", unused.Name)
		}
	}
	return nil
}

func (f family) validateUser(cfg cloud.Config) error {
	domain := "it is the account's name, for example OTC-EU-DE-00000000001000000000"
	if f.plain {
		domain = "it is the domain's name, often Default"
	}
	switch {
	case cfg.Text(fieldUsername) == "":
		return errors.New("username: required together with password")
	case cfg.Text(fieldPassword) == "":
		return errors.New("password: required together with username")
	case cfg.Text(fieldUserDomainName) == "":
		return fmt.Errorf("user_domain_name: required with username; %s", domain)
	case cfg.Text(fieldProjectID) == "" && cfg.Text(fieldProjectName) == "":
		return errors.New("project_id: required with username, unless project_name is given")
	case cfg.Text(fieldProjectID) != "" && cfg.Text(fieldProjectName) != "":
		return errors.New("project_name: not together with project_id; give one of them")
	case cfg.Text(fieldProjectDomainName) != "" && cfg.Text(fieldProjectName) == "":
		return errors.New("project_domain_name: only used with project_name")
	}
	return f.requireAuthURL(cfg)
}

// validateApplicationCredential checks Keystone's application credentials, which bring their user and
// project with them. A project_id is compared with theirs.
func validateApplicationCredential(cfg cloud.Config) error {
	switch {
	case cfg.Text(fieldApplicationCredentialID) == "":
		return errors.New("application_credential_id: required together with application_credential_secret")
	case cfg.Text(fieldApplicationCredentialSecret) == "":
		return errors.New("application_credential_secret: required together with application_credential_id")
	}
	for _, unused := range []cloud.Field{fieldUserDomainName, fieldProjectName, fieldProjectDomainName} {
		if cfg.Text(unused) != "" {
			return fmt.Errorf("%s: only used with username and password; an application credential knows its user and project, so remove it",
				unused.Name)
		}
	}
	return plainOpenStack().requireAuthURL(cfg)
}

// requireAuthURL asks for auth_url, which only plain OpenStack cannot do without.
func (f family) requireAuthURL(cfg cloud.Config) error {
	if f.plain && cfg.Text(fieldAuthURL) == "" {
		return errors.New("auth_url: required; it is Keystone's URL, for example https://keystone.example.com:5000/v3")
	}
	return nil
}

func (f family) validateEndpoint(key, raw string) error {
	field := "endpoints." + key
	if !slices.Contains(f.endpointKeys(), key) {
		return fmt.Errorf("%s: unknown service; known: %s", field, strings.Join(f.endpointKeys(), ", "))
	}
	if err := cloud.ValidateURL(field, raw); err != nil {
		return err
	}
	version := keystone.LastSegment(raw)
	if key == f.computeKey {
		version, _ = keystone.VersionOf(raw)
	}
	switch {
	case !keystone.IsVersion(version):
		return nil
	case key == f.computeKey && version != "v2" && version != "v2.1":
		return fmt.Errorf("%s: version %s has no os-server-password call; end the URL in /v2.1 or /v2, or leave the version out", field, version)
	case key == f.identityKey && version != "v3":
		return fmt.Errorf("%s: version %s of the identity API is not supported; end the URL in /v3, or leave the version out", field, version)
	}
	return nil
}
