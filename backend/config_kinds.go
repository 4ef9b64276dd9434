package backend

import (
	"maps"
	"slices"
)

// fieldKind says what a field of a connection decides. What a write has to prove follows from it.
type fieldKind string

const (
	// kindFixed: the provider, which never changes.
	kindFixed fieldKind = "fixed"
	// kindSecret: leaves the mount only towards the cloud, and is never read back.
	kindSecret fieldKind = "secret"
	// kindIdentity: says who asks the cloud. It may change, but not to another cloud account's.
	kindIdentity fieldKind = "identity"
	// kindAccount: belongs to the cloud account, project or region. It is fixed while accounts exist,
	// which would else mean other servers.
	kindAccount fieldKind = "account"
	// kindPlace: says where requests go, and whom to believe there.
	kindPlace fieldKind = "place"
	// kindSetting: what concerns this mount only.
	kindSetting fieldKind = "setting"
)

// bindsSecrets reports whether the stored secrets were given for this value of the field: where they
// are sent, or in whose name they act. A change needs them again.
func (k fieldKind) bindsSecrets() bool {
	return k == kindIdentity || k == kindAccount || k == kindPlace
}

// connectionField is a field of config/<name>. Every field of the path has its row in connectionFields.
type connectionField struct {
	name string
	kind fieldKind
	// text is where a text field is stored whose use depends on the provider; nil for the others.
	text func(*connection) *string
	// same reports whether two connections agree in the field. It is set where text is not, for the kinds
	// whose changes matter.
	same func(a, b *connection) bool
	// writeOnly fields are not read back.
	writeOnly bool
}

// Names of connection fields that are needed in several places.
const (
	ambientField           = "use_ambient_credentials"
	applicationIDField     = "application_credential_id"
	applicationSecretField = "application_credential_secret"
)

var connectionFields = []connectionField{
	{name: "provider", kind: kindFixed},
	{name: "region", kind: kindAccount, text: func(c *connection) *string { return &c.Region }},
	{name: "project_id", kind: kindAccount, text: func(c *connection) *string { return &c.ProjectID }},
	{name: "access_key", kind: kindIdentity, text: func(c *connection) *string { return &c.AccessKey }, writeOnly: true},
	{name: "secret_key", kind: kindSecret, text: func(c *connection) *string { return &c.SecretKey }, writeOnly: true},
	{name: "auth_url", kind: kindPlace, text: func(c *connection) *string { return &c.AuthURL }},
	{name: "username", kind: kindIdentity, text: func(c *connection) *string { return &c.Username }},
	{name: "password", kind: kindSecret, text: func(c *connection) *string { return &c.Password }, writeOnly: true},
	{name: "user_domain_name", kind: kindAccount, text: func(c *connection) *string { return &c.UserDomainName }},
	{name: "project_name", kind: kindAccount, text: func(c *connection) *string { return &c.ProjectName }},
	{name: "project_domain_name", kind: kindAccount, text: func(c *connection) *string { return &c.ProjectDomainName }},
	{name: "signature_style", kind: kindSetting, text: func(c *connection) *string { return &c.SignatureStyle }},
	{name: "role_arn", kind: kindIdentity, text: func(c *connection) *string { return &c.RoleARN }},
	{name: "external_id", kind: kindIdentity, text: func(c *connection) *string { return &c.ExternalID }},
	{name: ambientField, kind: kindIdentity, same: func(a, b *connection) bool { return a.ambient() == b.ambient() }},
	{name: applicationIDField, kind: kindIdentity, text: func(c *connection) *string { return &c.ApplicationCredentialID }},
	{name: applicationSecretField, kind: kindSecret, text: func(c *connection) *string { return &c.ApplicationCredentialSecret }, writeOnly: true},
	{name: "endpoints", kind: kindPlace, same: func(a, b *connection) bool { return maps.Equal(a.Endpoints, b.Endpoints) }},
	{name: "ca_certificate", kind: kindPlace, same: func(a, b *connection) bool { return a.CACertificate == b.CACertificate }},
	{name: "allowed_roles", kind: kindSetting},
	{name: "required_tags", kind: kindSetting},
	{name: "max_requests_per_second", kind: kindSetting},
	{name: "request_timeout", kind: kindSetting},
	{name: "password_policy", kind: kindSetting},
	{name: "verify_connection", kind: kindSetting},
	{name: "forget_gone_after", kind: kindSetting},
}

// changedFields lists the fields of some kinds in which two connections differ.
func changedFields(old, next *connection, kind func(fieldKind) bool) []string {
	var changed []string
	for _, f := range connectionFields {
		if !kind(f.kind) {
			continue
		}
		if f.text != nil && *f.text(old) != *f.text(next) || f.same != nil && !f.same(old, next) {
			changed = append(changed, f.name)
		}
	}
	return changed
}

// secretFields lists the secrets that a connection has.
func secretFields(c *connection) []string {
	var names []string
	for _, f := range connectionFields {
		if f.kind == kindSecret && *f.text(c) != "" {
			names = append(names, f.name)
		}
	}
	return names
}

// isWriteOnly reports whether a connection's field is never read back.
func isWriteOnly(name string) bool {
	return slices.ContainsFunc(connectionFields, func(f connectionField) bool { return f.name == name && f.writeOnly })
}

// sameIdentity reports whether two connections ask the cloud in the same name.
func sameIdentity(old, next *connection) bool {
	return len(changedFields(old, next, func(k fieldKind) bool { return k == kindIdentity })) == 0
}

// sameCredentials reports whether two connections use the same secrets, in the same name and at the
// same place.
func sameCredentials(old, next *connection) bool {
	return len(changedFields(old, next, func(k fieldKind) bool { return k == kindSecret || k.bindsSecrets() })) == 0
}
