package openstack

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
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
	versionForm    = regexp.MustCompile(`^v[0-9]+(\.[0-9]+)?$`)
)

const maxRegionLength = 63

// validate checks the family's own rules for a connection.
func (f family) validate(cfg cloud.Config) error {
	if cfg.Region == "" {
		return errors.New("region: required, for example eu-de or cn-north-4")
	}
	if len(cfg.Region) > maxRegionLength || !regionForm.MatchString(cfg.Region) {
		return errors.New("region: must be a region id such as eu-de or cn-north-4 (lower-case letters, digits and hyphens)")
	}
	if cfg.ProjectID != "" && !projectForm.MatchString(cfg.ProjectID) {
		return errors.New("project_id: must be the project's id, 32 hexadecimal digits; the cloud's console shows it under My Credentials")
	}
	if err := f.validateCredentials(cfg); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		if err := validateEndpoint(key, cfg.Endpoints[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f family) validateCredentials(cfg cloud.Config) error {
	hasKeys := cfg.AccessKey != "" || cfg.SecretKey != ""
	hasUser := cfg.Username != "" || cfg.Password != ""
	switch {
	case hasUser && !f.keystone:
		return fmt.Errorf("username, password: not used by %s; give access_key and secret_key", f.name)
	case hasKeys && hasUser:
		return errors.New("access_key, username: give either access_key and secret_key, or username and password, not both")
	case hasUser:
		return validateUser(cfg)
	case !hasKeys && f.keystone:
		return errors.New("access_key: required together with secret_key, unless username and password are given")
	}
	return validateKeys(cfg)
}

func validateKeys(cfg cloud.Config) error {
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
		return errors.New("project_id: required with access_key; the cloud's console shows it under My Credentials")
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

func validateUser(cfg cloud.Config) error {
	switch {
	case cfg.Username == "":
		return errors.New("username: required together with password")
	case cfg.Password == "":
		return errors.New("password: required together with username")
	case cfg.UserDomainName == "":
		return errors.New("user_domain_name: required with username; it is the account's name, for example OTC-EU-DE-00000000001000000000")
	case cfg.ProjectID == "" && cfg.ProjectName == "":
		return errors.New("project_id: required with username, unless project_name is given")
	case cfg.ProjectID != "" && cfg.ProjectName != "":
		return errors.New("project_name: not together with project_id; give one of them")
	case cfg.ProjectDomainName != "" && cfg.ProjectName == "":
		return errors.New("project_domain_name: only used with project_name")
	}
	if cfg.AuthURL == "" {
		return nil
	}
	if err := cloud.ValidateURL("auth_url", cfg.AuthURL); err != nil {
		return err
	}
	if version := lastSegment(cfg.AuthURL); versionForm.MatchString(version) && version != "v3" {
		return fmt.Errorf("auth_url: version %s of the identity API is not supported; the URL must end in /v3", version)
	}
	return nil
}

func validateEndpoint(key, raw string) error {
	field := "endpoints." + key
	if key != endpointECS && key != endpointIAM {
		return fmt.Errorf("%s: unknown service; known are %s and %s", field, endpointECS, endpointIAM)
	}
	if err := cloud.ValidateURL(field, raw); err != nil {
		return err
	}
	version := lastSegment(raw)
	switch {
	case !versionForm.MatchString(version):
		return nil
	case key == endpointECS && version != "v2" && version != "v2.1":
		return fmt.Errorf("%s: version %s has no os-server-password call; end the URL in /v2.1 or /v2, or leave the version out", field, version)
	case key == endpointIAM && version != "v3":
		return fmt.Errorf("%s: version %s of the identity API is not supported; end the URL in /v3, or leave the version out", field, version)
	}
	return nil
}

// lastSegment returns the last path segment of a URL, "" if it has none.
func lastSegment(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if last := path.Base(u.Path); last != "/" && last != "." {
		return last
	}
	return ""
}

// computeBase is the compute endpoint up to and including its version, without a final slash. An
// endpoint that already names a version keeps it.
func (f family) computeBase(cfg cloud.Config) string {
	base := cfg.Endpoints[endpointECS]
	if base == "" {
		base = f.computeURL(cfg.Region)
	}
	base = strings.TrimRight(base, "/")
	if versionForm.MatchString(lastSegment(base)) {
		return base
	}
	return base + "/v2.1"
}

// identityBase is the identity endpoint, ending in /v3 without a final slash. auth_url goes before
// endpoints.iam.
func (f family) identityBase(cfg cloud.Config) string {
	base := cfg.AuthURL
	if base == "" {
		base = cfg.Endpoints[endpointIAM]
	}
	if base == "" {
		base = f.identityURL(cfg.Region)
	}
	base = strings.TrimRight(base, "/")
	if lastSegment(base) == "v3" {
		return base
	}
	return base + "/v3"
}
