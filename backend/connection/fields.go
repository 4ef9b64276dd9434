package connection

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Schemas is the schema of config/<name>: the fields that every provider has, and those of the providers.
func Schemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	fields := ownSchemas(registry)
	maps.Copy(fields, CommonSchemas(registry))
	return fields
}

// CommonSchemas are the fields that every provider has.
func CommonSchemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	var providers []any
	names := slices.Sorted(maps.Keys(registry))
	for _, name := range names {
		providers = append(providers, name)
	}
	return map[string]*framework.FieldSchema{
		"name": request.NameField("Name of the connection."),
		"provider": {Type: framework.TypeString, Required: true, DisplayAttrs: request.DisplayName("Provider"), AllowedValues: providers,
			Description: "The cloud: " + inList(names) + ". Cannot be changed. Required."},
		"endpoints": {Type: framework.TypeKVPairs, DisplayAttrs: request.DisplayName("Endpoints"),
			Description: "URLs of services instead of the cloud's own, as service=URL: " + endpointsOf(registry) +
				". They must be https; plain http to loopback only if the environment of the Vault server has CLOUDPW_ALLOW_LOOPBACK_HTTP=true. A " +
				"change needs the secrets in the same write. Default: the cloud's own."},
		"ca_certificate": {Type: framework.TypeString,
			DisplayAttrs: &framework.DisplayAttributes{Name: "CA certificate", EditType: "file"},
			Description:  "PEM certificates to trust instead of the system's. A change needs the secrets in the same write. Default: the system's."},
		"allowed_roles": {Type: framework.TypeCommaStringSlice, DisplayAttrs: request.DisplayName("Allowed roles"), Default: []string{"*"},
			Description: "Names or globs of the roles that may use the connection. An empty list means none; * means all. Default: *."},
		"required_tags": {Type: framework.TypeKVPairs, DisplayAttrs: request.DisplayName("Required tags"),
			Description: "Tags, all of which an instance must have for the connection to serve it, at most 20. Checked when a role is written " +
				"and when tags are resolved, not at reads. Default: none."},
		"max_requests_per_second": {Type: framework.TypeFloat, DisplayAttrs: request.DisplayName("Requests per second"),
			Description: fmt.Sprintf("Limit of requests per second for each API action, %v to %v. Default: %s.", minRequestsPerSecond,
				maxRequestsPerSecond, ratesOf(registry))},
		"request_timeout": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Request timeout"),
			Description: fmt.Sprintf("Longest time for one request to the cloud, %s to %s. Default: %s.", request.FormatDuration(minRequestTimeout),
				request.FormatDuration(maxRequestTimeout), request.FormatDuration(defaultRequestTimeout))},
		"password_policy": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Password policy"),
			Description: "If the provider can reset: Vault password policy for the roles of the connection. Default: the built-in generator."},
		"forget_gone_after": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Forget gone after"),
			Description: fmt.Sprintf("Time after which accounts are forgotten with their passwords, if their instances no longer exist and no "+
				"role has them, at most %s; 0 means never. An account with a lease or an unsettled reset is kept. Default: %s.",
				request.FormatDuration(maxForgetGoneAfter), request.FormatDuration(defaultForgetGoneAfter))},
		"rotation_period": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Rotation period"),
			Description: fmt.Sprintf("Time after which the connection's own credential is replaced unattended, as rotate-root/ does it, %s to %s; "+
				"0 means never. Counted from the last rotation, the last change of the credential, or the write that sets it; up to a tenth (at most "+
				"%s) earlier. Default: 0.", request.FormatDuration(minRotationPeriod), request.FormatDuration(maxRotationPeriod),
				request.FormatDuration(maxJitter))},
		"verify_connection": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Verify connection"), Default: true,
			Description: "Make one authenticated call when the connection is written, and store it only if that succeeds. Default: true."},
	}
}

// ResponseSchemas is the schema of a read: the fields of the write without the name and what is never
// read back. Which of the others there are depends on the provider.
func ResponseSchemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	fields := request.ReadBack(Schemas(registry))
	for name, uses := range OwnFields(registry) {
		switch {
		case !uses[0].ReadBack():
			delete(fields, name)
		case len(fields[name].AllowedValues) > 0:
			request.AllowEmpty(fields[name]) // where the connection has no use for it
		}
	}
	for _, name := range []string{"provider", "allowed_roles", "required_tags", "max_requests_per_second", "request_timeout",
		"verify_connection", "forget_gone_after", "rotation_period"} {
		fields[name].Required = true
	}
	maps.Copy(fields, derivedSchemas(registry))
	fields["root_rotation"] = &framework.FieldSchema{Type: framework.TypeMap,
		Description: "An unfinished rotate-root: step (creating, created or stored), started, old_credential_id, new_credential_id, last_error."}
	fields["leftover_credentials"] = &framework.FieldSchema{Type: framework.TypeSlice,
		Description: "Unused credentials that failed rotations left at the cloud: credential_id, since, reason. Delete them there."}
	fields["next_root_rotation"] = request.TimeField(false, "If rotation_period is set: when the credential is replaced next, at the earliest")
	fields["root_rotation_error"] = &framework.FieldSchema{Type: framework.TypeString,
		Description: "If the last unattended rotation failed: why."}
	fields["root_rotation_error_time"] = request.TimeField(false, "When it failed")
	maps.Copy(fields, CredentialSchemas())
	fields["last_root_rotation"] = request.TimeField(false, "When rotate-root last replaced the credential")
	return fields
}

// CredentialSchemas is the schema of what a read tells of the connection's credential.
func CredentialSchemas() map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{}
	fields["credential_id"] = &framework.FieldSchema{Type: framework.TypeString,
		Description: "Id of the credential in use: access key id, application credential id or user name. Not for ambient credentials."}
	fields["credential_configured"] = request.TimeField(false, "When Vault was given the credential, or made it")
	fields["credential_created"] = request.TimeField(false, "When the credential was made, if the cloud tells")
	fields["credential_expires"] = request.TimeField(false, "When the credential ends, if it does and the cloud tells")
	fields["credential_age"] = &framework.FieldSchema{Type: framework.TypeInt,
		Description: "Seconds since credential_created, or else since credential_configured."}
	fields["credential_checked"] = request.TimeField(false, "When the cloud was last asked about the credential")
	fields["credential_error"] = &framework.FieldSchema{Type: framework.TypeString,
		Description: "Why the cloud tells nothing of the credential, such as the permission that is missing."}
	return fields
}
