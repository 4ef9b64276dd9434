package openstack

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// The family's own fields of a connection, as all of its clouds have them; see family.fields for what differs.
var (
	fieldProjectID = cloud.Field{
		Name: "project_id", Kind: cloud.FieldAccount, Required: "with username unless project_name is given",
		Description: "Id of the project in the region.",
	}
	fieldAuthURL = cloud.Field{
		Name: "auth_url", Label: "Authentication URL", Kind: cloud.FieldPlace, Type: cloud.FieldURL, Check: checkAuthURL,
		Default:     "by region",
		Description: "URL of the identity service, version 3, if no access_key is used.",
	}
	fieldUsername = cloud.Field{
		Name: "username", Label: "User name", Kind: cloud.FieldIdentity, Default: "none",
		Description: "User of the identity service, instead of the other credentials.",
	}
	fieldPassword = cloud.Field{
		Name: "password", Kind: cloud.FieldSecret, Required: "with username",
		Description: "Password of username.",
	}
	fieldUserDomainName = cloud.Field{
		Name: "user_domain_name", Kind: cloud.FieldAccount, Required: "with username",
		Description: "Domain of username.",
	}
	fieldProjectName = cloud.Field{
		Name: "project_name", Kind: cloud.FieldAccount, Default: "none",
		Description: "Name of the project, with username, instead of project_id.",
	}
	fieldProjectDomainName = cloud.Field{
		Name: "project_domain_name", Kind: cloud.FieldAccount, Default: "user_domain_name",
		Description: "Domain of project_name.",
	}
	fieldSignatureStyle = cloud.Field{
		Name: "signature_style", Kind: cloud.FieldSetting, Allowed: []string{signing.Direct, signing.Scoped},
		Description: "How requests are signed that bring no token: direct or scoped.",
	}
	fieldSecurityToken = cloud.Field{
		Name: "security_token", Kind: cloud.FieldSecret, Generated: true, Check: checkSecurityToken, Default: "none",
		GoesWith: "access_key", MaxLength: maxSecurityToken,
		Description: "The token that belongs to a temporary access_key. It ends within 24 hours. A write of access_key without it removes it.",
	}
	fieldAgencyName = cloud.Field{
		Name: "agency_name", Kind: cloud.FieldIdentity, Default: "none", Check: checkAgencyName,
		Description: "Agency of IAM to work as, got with the other credentials.",
	}
	fieldAgencyDomainName = cloud.Field{
		Name: "agency_domain_name", Kind: cloud.FieldIdentity, Required: "with agency_name", Check: checkDomainName, AccountOf: same,
		Description: "Name of the account that agency_name belongs to.",
	}
	fieldApplicationCredentialID = cloud.Field{
		Name: "application_credential_id", Kind: cloud.FieldIdentity, Generated: true, NamesCredential: true,
		Check:       checkApplicationCredentialID,
		Default:     "none",
		Description: "Id of a Keystone application credential, instead of username.",
	}
	fieldApplicationCredentialSecret = cloud.Field{
		Name: "application_credential_secret", Kind: cloud.FieldSecret, Required: "with application_credential_id",
		Description: "Secret of application_credential_id.",
	}
)

// fields are the cloud's own fields of a connection.
func (f family) fields() []cloud.Field {
	project := fieldProjectID.CheckedBy(f.checkProjectID)
	fields := []cloud.Field{f.region(), project}
	identity, domain := fieldAuthURL, fieldUserDomainName
	if f.plain {
		identity.Default, identity.Required = "", cloud.RequiredAlways
		identity.Description = "URL of the identity service, version 3."
	}
	if f.accessKeys {
		project.Required = "unless project_name is given"
		project.Description = "Id of the project in the region. With agency_name it is a project of the agency's account."
		domain.Description = "Domain of username, which is the account's name."
		fields = []cloud.Field{f.region(), project, cloud.AccessKey.CheckedBy(checkAccessKey), cloud.SecretKey.CheckedBy(checkSecretKey),
			fieldSecurityToken, cloud.AmbientCredentials, fieldAgencyName, fieldAgencyDomainName, f.signatureStyle()}
	}
	fields = append(fields, identity, fieldUsername, fieldPassword, domain, fieldProjectName, fieldProjectDomainName)
	if f.applicationCredentials {
		fields = append(fields, fieldApplicationCredentialID, fieldApplicationCredentialSecret)
	}
	return fields
}

// region becomes part of a host name, or is looked up in a catalogue.
func (f family) region() cloud.Field {
	if f.plain {
		region := cloud.Region.CheckedBy(checkCatalogueRegion)
		region.Required, region.Default = "", "the only one of the catalogue"
		return region
	}
	return cloud.Region.CheckedBy(checkRegion)
}

// signatureStyle has the default of the cloud, which holds where requests are signed at all.
func (f family) signatureStyle() cloud.Field {
	field := fieldSignatureStyle
	field.Default = f.defaultSignatureStyle
	field.Fallback = func(v cloud.Values) string {
		if v.Text(cloud.AccessKey) == "" && !v.Flag(cloud.AmbientCredentials) && v.Text(fieldAgencyName) == "" {
			return ""
		}
		return f.defaultSignatureStyle
	}
	return field
}

var (
	// regionForm is that of a DNS label such as eu-de or cn-north-4: a region becomes part of a host
	// name.
	regionForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// catalogueRegion is a region of a catalogue, which is only compared: Keystone restricts its ids to
	// 255 characters and nothing else.
	catalogueRegion = regexp.MustCompile(`^[[:print:]]{1,255}$`)
)

const maxRegionLength = 63

// maxSecurityToken is far above what tokens are: mostly below 4,096 bytes, and of no fixed length (Huawei Cloud, "Obtaining
// Temporary Security Credentials").
const maxSecurityToken = 16 << 10

var (
	// agencyForm is that of an agency's name: IAM's console takes up to 64 letters, digits, "_" and "-".
	agencyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	// domainForm is wider than the 64 characters of an account's name.
	domainForm = regexp.MustCompile(`^[[:print:]]{1,255}$`)
)

func checkAgencyName(name string) error {
	if !agencyForm.MatchString(name) {
		return errors.New("must be the name of an agency: up to 64 letters, digits, _ and -")
	}
	return nil
}

func checkDomainName(name string) error {
	if !domainForm.MatchString(name) {
		return errors.New("must be the name of an account; its owner sees it in the console under My Credentials")
	}
	return nil
}

func checkSecurityToken(token string) error {
	if !tokenForm.MatchString(token) {
		return errors.New("holds characters that no token has; check for blanks and line breaks")
	}
	return nil
}

// same is the value itself.
func same(value string) string { return value }

func checkRegion(region string) error {
	if len(region) > maxRegionLength || !regionForm.MatchString(region) {
		return errors.New("must be a region id such as eu-de or cn-north-4 (lower-case letters, digits and hyphens)")
	}
	return nil
}

func checkCatalogueRegion(region string) error {
	if !catalogueRegion.MatchString(region) {
		return errors.New("must be a region's id, such as RegionOne; see: openstack region list")
	}
	return nil
}

func (f family) checkProjectID(id string) error {
	if !projectForm.MatchString(id) {
		return fmt.Errorf("must be the project's id, 32 hexadecimal digits; %s", f.projectHint())
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

func checkAccessKey(id string) error {
	if !accessKeyForm.MatchString(id) {
		return errors.New("holds characters that no access key has; check for blanks and line breaks")
	}
	return nil
}

func checkSecretKey(key string) error {
	if strings.TrimSpace(key) != key {
		return errors.New("begins or ends with white space")
	}
	return nil
}

func checkApplicationCredentialID(id string) error {
	if !applicationCredentialForm.MatchString(id) {
		return errors.New("must be the id, 32 hexadecimal digits, not the name; see: openstack application credential list")
	}
	return nil
}

func checkAuthURL(url string) error {
	if version := keystone.LastSegment(url); keystone.IsVersion(version) && version != "v3" {
		return fmt.Errorf("version %s of the identity API is not supported; the URL must end in /v3", version)
	}
	return nil
}
