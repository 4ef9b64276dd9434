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
	ambient := cfg.Flag(cloud.AmbientCredentials)
	switch {
	case hasApplication && !f.applicationCredentials:
		return fmt.Errorf("application_credential_id: %s has no application credentials; give access_key and secret_key", f.title)
	case (hasKeys || ambient) && !f.accessKeys:
		return fmt.Errorf("access_key: not used by %s; give application_credential_id and application_credential_secret, or username and "+
			"password", f.name)
	case hasKeys && hasUser:
		return errors.New("access_key, username: give either access_key and secret_key, or username and password, not both")
	case ambient && (hasKeys || hasUser):
		return errors.New("use_ambient_credentials: contradicts access_key and username; unset those, or write use_ambient_credentials=false")
	case hasApplication && hasUser:
		return errors.New("application_credential_id, username: give either application_credential_id and application_credential_secret, or " +
			"username and password, not both")
	case hasApplication:
		return validateApplicationCredential(cfg)
	case !hasKeys && cfg.Text(fieldSecurityToken) != "":
		return errors.New("security_token: only used with access_key and secret_key, to which it belongs; give them, too, or leave it out")
	case hasUser:
		if err := f.validateUser(cfg); err != nil {
			return err
		}
	case f.plain:
		return errors.New("application_credential_id: required together with application_credential_secret, unless username and password are " +
			"given")
	case !hasKeys && !ambient:
		return errors.New("access_key: required together with secret_key, unless username and password are given, or " +
			"use_ambient_credentials=true to use what the environment of the Vault server supplies")
	default:
		if err := f.validateKeys(cfg); err != nil {
			return err
		}
	}
	return f.validateAgency(cfg)
}

// validateKeys checks access keys, and those of the environment.
func (f family) validateKeys(cfg cloud.Config) error {
	switch ambient := cfg.Flag(cloud.AmbientCredentials); {
	case !ambient && cfg.Text(cloud.AccessKey) == "":
		return errors.New("access_key: required together with secret_key")
	case !ambient && cfg.Text(cloud.SecretKey) == "":
		return errors.New("secret_key: required together with access_key")
	case cfg.Text(fieldProjectID) == "":
		return fmt.Errorf("project_id: required without username; %s", f.projectHint())
	}
	for _, unused := range []cloud.Field{fieldAuthURL, fieldUserDomainName, fieldProjectName, fieldProjectDomainName} {
		if cfg.Text(unused) != "" {
			return fmt.Errorf("%s: only used with username and password; remove it, or give those instead of the other credentials", unused.Name)
		}
	}
	return nil
}

// validateAgency checks the agency that a connection works as.
func (f family) validateAgency(cfg cloud.Config) error {
	name, domain := cfg.Text(fieldAgencyName) != "", cfg.Text(fieldAgencyDomainName) != ""
	switch {
	case !name && !domain:
		return nil
	case !name:
		return errors.New("agency_domain_name: only used together with agency_name; set that, or leave agency_domain_name out")
	case !domain:
		return errors.New("agency_domain_name: required with agency_name; it is the name of the account that the agency belongs to")
	case cfg.Text(fieldProjectID) == "":
		return errors.New("project_id: required with agency_name, in place of project_name; it is the id of a project of the agency's account")
	}
	own := cfg.Endpoints[f.computeKey] != ""
	switch {
	case cfg.Text(fieldAuthURL) == "" && cloud.EndpointMissing(cfg.Endpoints, f.computeKey, f.identityKey):
		return fmt.Errorf("endpoints.%s: required together with agency_name and endpoints.%s, as credentials for your own endpoint are not sent "+
			"to %s's IAM by default; to send them there, set it to %s", f.identityKey, f.computeKey, f.title,
			f.identityURL(cfg.Text(cloud.Region)))
	case !own && !keystone.Within(f.domains, keystone.HostOf(f.identityBase(cfg))):
		return fmt.Errorf("endpoints.%s: required together with agency_name and an identity service of your own, as its keys are not sent to "+
			"%s by default; to send them there, set it to %s", f.computeKey, f.title, f.computeURL(cfg.Text(cloud.Region)))
	}
	return nil
}

func (f family) validateUser(cfg cloud.Config) error {
	domain := "it is the account's name, which the console shows under My Credentials"
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
	case key == endpointCOC && version != "v1":
		return fmt.Errorf("%s: version %s of COC is not supported; end the URL in /v1, or leave the version out", field, version)
	case key == f.identityKey && version != "v3":
		return fmt.Errorf("%s: version %s of the identity API is not supported; end the URL in /v3, or leave the version out", field, version)
	}
	return nil
}
