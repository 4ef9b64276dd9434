package openstack

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var (
	// regionForm is that of a DNS label such as eu-de or cn-north-4: a region becomes part of a host
	// name.
	regionForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// projectForm is wider than the 32 hexadecimal digits of today's project ids and still harmless
	// in a URL path.
	projectForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)
	// accessKeyForm keeps an access key from breaking out of the Authorization header.
	accessKeyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)
	// instanceIDForm is the lower-case UUID that Nova prints. One spelling a server: accounts are
	// bound by it.
	instanceIDForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	// catalogueRegion is a region of a catalogue, which is only compared: Keystone restricts its ids to
	// 255 characters and nothing else.
	catalogueRegion = regexp.MustCompile(`^[[:print:]]{1,255}$`)
	// applicationCredentialForm is that of Keystone's ids, 32 hexadecimal digits, and somewhat wider.
	applicationCredentialForm = projectForm
	// userForm is that of Keystone's user ids: 32 hexadecimal digits, 64 for users of a directory.
	userForm    = projectForm
	versionForm = regexp.MustCompile(`^v[0-9]+(\.[0-9]+)?$`)
)

const maxRegionLength = 63

// validate checks the family's own rules for a connection.
func (f family) validate(cfg cloud.Config) error {
	if err := f.validateRegion(cfg.Region); err != nil {
		return err
	}
	if cfg.ProjectID != "" && !projectForm.MatchString(cfg.ProjectID) {
		return fmt.Errorf("project_id: must be the project's id, 32 hexadecimal digits; %s", f.projectHint())
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

func (f family) validateRegion(region string) error {
	switch {
	case f.plain && region != "" && !catalogueRegion.MatchString(region):
		return errors.New("region: must be a region's id, such as RegionOne; see: openstack region list")
	case f.plain:
		return nil
	case region == "":
		return errors.New("region: required, for example eu-de or cn-north-4")
	case len(region) > maxRegionLength || !regionForm.MatchString(region):
		return errors.New("region: must be a region id such as eu-de or cn-north-4 (lower-case letters, digits and hyphens)")
	}
	return nil
}

// projectHint says where a project's id is shown.
func (f family) projectHint() string {
	if f.plain {
		return "see: openstack project show NAME"
	}
	return "the cloud's console shows it under My Credentials"
}

func (f family) validateCredentials(cfg cloud.Config) error {
	hasKeys := cfg.AccessKey != "" || cfg.SecretKey != ""
	hasUser := cfg.Username != "" || cfg.Password != ""
	hasApplication := cfg.ApplicationCredentialID != "" || cfg.ApplicationCredentialSecret != ""
	switch {
	case hasUser && !f.keystone:
		return fmt.Errorf("username, password: not used by %s; give access_key and secret_key", f.name)
	case hasApplication && !f.applicationCredentials:
		return fmt.Errorf("application_credential_id: %s has no application credentials; give access_key and secret_key", f.title)
	case hasKeys && !f.accessKeys:
		return fmt.Errorf("access_key: not used by %s; give application_credential_id and application_credential_secret, or username and password", f.name)
	case hasKeys && hasUser:
		return errors.New("access_key, username: give either access_key and secret_key, or username and password, not both")
	case hasApplication && hasUser:
		return errors.New("application_credential_id, username: give either application_credential_id and application_credential_secret, or username and password, not both")
	case hasApplication:
		return validateApplicationCredential(cfg)
	case hasUser:
		return f.validateUser(cfg)
	case f.plain:
		return errors.New("application_credential_id: required together with application_credential_secret, unless username and password are given")
	case !hasKeys && f.keystone:
		return errors.New("access_key: required together with secret_key, unless username and password are given")
	}
	return f.validateKeys(cfg)
}

func (f family) validateKeys(cfg cloud.Config) error {
	switch {
	case cfg.AccessKey == "":
		return errors.New("access_key: required")
	case !accessKeyForm.MatchString(cfg.AccessKey):
		return errors.New("access_key: holds characters that no access key has; check for blanks and line breaks")
	case cfg.SecretKey == "":
		return errors.New("secret_key: required together with access_key")
	case strings.TrimSpace(cfg.SecretKey) != cfg.SecretKey:
		return errors.New("secret_key: begins or ends with white space")
	case cfg.ProjectID == "":
		return fmt.Errorf("project_id: required with access_key; %s", f.projectHint())
	case cfg.SignatureStyle != "" && cfg.SignatureStyle != cloud.SignatureDirect && cfg.SignatureStyle != cloud.SignatureScoped:
		return fmt.Errorf("signature_style: must be %q or %q", cloud.SignatureDirect, cloud.SignatureScoped)
	}
	for _, unused := range []struct{ field, value string }{
		{"auth_url", cfg.AuthURL},
		{"user_domain_name", cfg.UserDomainName},
		{"project_name", cfg.ProjectName},
		{"project_domain_name", cfg.ProjectDomainName},
	} {
		if unused.value != "" {
			return fmt.Errorf("%s: only used with username and password; remove it, or remove access_key and secret_key", unused.field)
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
	case cfg.Username == "":
		return errors.New("username: required together with password")
	case cfg.Password == "":
		return errors.New("password: required together with username")
	case cfg.UserDomainName == "":
		return fmt.Errorf("user_domain_name: required with username; %s", domain)
	case cfg.ProjectID == "" && cfg.ProjectName == "":
		return errors.New("project_id: required with username, unless project_name is given")
	case cfg.ProjectID != "" && cfg.ProjectName != "":
		return errors.New("project_name: not together with project_id; give one of them")
	case cfg.ProjectDomainName != "" && cfg.ProjectName == "":
		return errors.New("project_domain_name: only used with project_name")
	}
	return f.validateAuthURL(cfg.AuthURL)
}

// validateApplicationCredential checks Keystone's application credentials, which bring their user and
// project with them. A project_id is compared with theirs.
func validateApplicationCredential(cfg cloud.Config) error {
	switch {
	case cfg.ApplicationCredentialID == "":
		return errors.New("application_credential_id: required together with application_credential_secret")
	case !applicationCredentialForm.MatchString(cfg.ApplicationCredentialID):
		return errors.New("application_credential_id: must be the id, 32 hexadecimal digits, not the name; see: openstack application credential list")
	case cfg.ApplicationCredentialSecret == "":
		return errors.New("application_credential_secret: required together with application_credential_id")
	}
	for _, unused := range []struct{ field, value string }{
		{"user_domain_name", cfg.UserDomainName},
		{"project_name", cfg.ProjectName},
		{"project_domain_name", cfg.ProjectDomainName},
	} {
		if unused.value != "" {
			return fmt.Errorf("%s: only used with username and password; an application credential knows its user and project, so remove it", unused.field)
		}
	}
	return plainOpenStack().validateAuthURL(cfg.AuthURL)
}

// validateAuthURL checks auth_url, which only plain OpenStack cannot do without.
func (f family) validateAuthURL(raw string) error {
	switch {
	case raw == "" && f.plain:
		return errors.New("auth_url: required; it is Keystone's URL, for example https://keystone.example.com:5000/v3")
	case raw == "":
		return nil
	}
	if err := cloud.ValidateURL("auth_url", raw); err != nil {
		return err
	}
	if version := lastSegment(raw); versionForm.MatchString(version) && version != "v3" {
		return fmt.Errorf("auth_url: version %s of the identity API is not supported; the URL must end in /v3", version)
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
	version := lastSegment(raw)
	if key == f.computeKey {
		version, _ = versionOf(raw)
	}
	switch {
	case !versionForm.MatchString(version):
		return nil
	case key == f.computeKey && version != "v2" && version != "v2.1":
		return fmt.Errorf("%s: version %s has no os-server-password call; end the URL in /v2.1 or /v2, or leave the version out", field, version)
	case key == f.identityKey && version != "v3":
		return fmt.Errorf("%s: version %s of the identity API is not supported; end the URL in /v3, or leave the version out", field, version)
	}
	return nil
}
