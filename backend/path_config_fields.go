package backend

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// configFields is the schema of config/<name>.
func configFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name": nameField("Name of the connection."),
		"provider": {Type: framework.TypeString, Required: true, DisplayAttrs: labelled("Provider"),
			Description: "The cloud: aws, tencentcloud, huaweicloud, opentelekomcloud or openstack. Cannot be changed. Required."},
		"region": {Type: framework.TypeString, DisplayAttrs: labelled("Region"),
			Description: "The cloud's region, such as eu-central-1. Fixed while accounts of the connection exist. Required."},
		"project_id": {Type: framework.TypeString, DisplayAttrs: labelled("Project id"),
			Description: "huaweicloud, opentelekomcloud, openstack: id of the project in the region. Fixed while accounts of the connection exist. Required with access_key on huaweicloud and opentelekomcloud, or with username unless project_name is given."},
		"access_key": {Type: framework.TypeString, DisplayAttrs: labelled("Access key"),
			Description: "aws, tencentcloud, huaweicloud, opentelekomcloud: access key id; on Tencent Cloud the SecretId. Never read back. Required unless there are other credentials."},
		"secret_key": {Type: framework.TypeString, DisplayAttrs: secretly("Secret key"),
			Description: "The secret that belongs to access_key. Never read back. Required with access_key."},
		"auth_url": {Type: framework.TypeString, DisplayAttrs: labelled("Authentication URL"),
			Description: "openstack, opentelekomcloud with username: URL of the identity service, version 3. A change needs the secrets in the same write. Default: by region on opentelekomcloud; required on openstack."},
		"username": {Type: framework.TypeString, DisplayAttrs: labelled("User name"),
			Description: "opentelekomcloud, openstack: user of the identity service, instead of the other credentials. Default: none."},
		"password": {Type: framework.TypeString, DisplayAttrs: secretly("Password"),
			Description: "Password of username. Never read back. Required with username."},
		"user_domain_name": {Type: framework.TypeString, DisplayAttrs: labelled("User domain name"),
			Description: "Domain of username: on Open Telekom Cloud the account's name. Fixed while accounts of the connection exist. Required with username."},
		"project_name": {Type: framework.TypeString, DisplayAttrs: labelled("Project name"),
			Description: "With username: name of the project, instead of project_id. Fixed while accounts of the connection exist. Default: none."},
		"project_domain_name": {Type: framework.TypeString, DisplayAttrs: labelled("Project domain name"),
			Description: "Domain of project_name. Fixed while accounts of the connection exist. Default: user_domain_name."},
		"signature_style": {Type: framework.TypeString, DisplayAttrs: labelled("Signature style"),
			AllowedValues: []any{cloud.SignatureDirect, cloud.SignatureScoped},
			Description:   "huaweicloud, opentelekomcloud with access_key: dialect in which requests are signed, direct or scoped. Default: direct on huaweicloud, scoped on opentelekomcloud."},
		"role_arn": {Type: framework.TypeString, DisplayAttrs: labelled("Role ARN"),
			Description: "aws, tencentcloud: role to assume with the credentials. Default: none."},
		"external_id": {Type: framework.TypeString, DisplayAttrs: labelled("External id"),
			Description: "External id that the trust policy of role_arn asks for. It is no secret. Default: none."},
		ambientField: {Type: framework.TypeBool, DisplayAttrs: labelled("Use ambient credentials"),
			Description: "aws, tencentcloud, instead of access_key: use the credentials that the surroundings of the Vault server supply, such as environment variables and instance roles. Default: false."},
		applicationIDField: {Type: framework.TypeString, DisplayAttrs: labelled("Application credential id"),
			Description: "openstack: id of a Keystone application credential, instead of username. Default: none."},
		applicationSecretField: {Type: framework.TypeString, DisplayAttrs: secretly("Application credential secret"),
			Description: "Secret of application_credential_id. Never read back. Required with application_credential_id."},
		"endpoints": {Type: framework.TypeKVPairs, DisplayAttrs: labelled("Endpoints"),
			Description: "URLs of services instead of the cloud's own, as service=URL: ec2, sts, iam, ssm (aws); cvm, sts, cam, tat (tencentcloud); ecs, iam (huaweicloud, opentelekomcloud); compute (openstack, else from the catalogue). https; plain http to loopback only where the environment of the Vault server has CLOUDPW_ALLOW_LOOPBACK_HTTP=true. A change needs the secrets in the same write. Default: the cloud's own."},
		"ca_certificate": {Type: framework.TypeString,
			DisplayAttrs: &framework.DisplayAttributes{Name: "CA certificate", EditType: "file"},
			Description:  "PEM certificates to trust instead of the system's. A change needs the secrets in the same write. Default: the system's."},
		"allowed_roles": {Type: framework.TypeCommaStringSlice, DisplayAttrs: labelled("Allowed roles"), Default: []string{"*"},
			Description: "Names or globs of the roles that may use the connection. An empty list means none; all is said as *. Default: *."},
		"required_tags": {Type: framework.TypeKVPairs, DisplayAttrs: labelled("Required tags"),
			Description: "Tags that an instance must all carry to be served by the connection at all, at most 20. Checked when a role is written and when tags are resolved, not at reads. Default: none."},
		"max_requests_per_second": {Type: framework.TypeFloat, DisplayAttrs: labelled("Requests per second"),
			Description: fmt.Sprintf("Limit of requests a second for each API action, %v to %v. Default: 10.", minRequestsPerSecond, maxRequestsPerSecond)},
		"request_timeout": {Type: framework.TypeDurationSecond, DisplayAttrs: labelled("Request timeout"),
			Description: fmt.Sprintf("Longest time for one request to the cloud, %s to %s. Default: %s.", inWords(minRequestTimeout), inWords(maxRequestTimeout), inWords(defaultRequestTimeout))},
		"password_policy": {Type: framework.TypeString, DisplayAttrs: labelled("Password policy"),
			Description: "Where the provider can reset: Vault password policy for the roles of the connection. Default: the built-in generator."},
		"forget_gone_after": {Type: framework.TypeDurationSecond, DisplayAttrs: labelled("Forget gone after"),
			Description: fmt.Sprintf("After what time accounts are forgotten, with their passwords, whose instances do not exist any more, and that no role has, at most %s; 0 means never. An account with a lease or an unsettled reset is kept. Default: %s.",
				inWords(maxForgetGoneAfter), inWords(defaultForgetGoneAfter))},
		"verify_connection": {Type: framework.TypeBool, DisplayAttrs: labelled("Verify connection"), Default: true,
			Description: "Make one authenticated call when the connection is written, and store it only if that succeeds. Default: true."},
	}
}

// configResponse is the schema of a read: the fields of the write without the name and what is never
// read back. Which of the others there are depends on the provider.
func configResponse() map[string]*framework.FieldSchema {
	fields := readBack(configFields())
	for _, f := range connectionFields {
		if f.writeOnly {
			delete(fields, f.name)
		}
	}
	for _, name := range []string{"provider", "allowed_roles", "required_tags", "max_requests_per_second", "request_timeout", "verify_connection", "forget_gone_after"} {
		fields[name].Required = true
	}
	orEmpty(fields["signature_style"]) // where other credentials than access_key are used
	fields["root_rotation"] = &framework.FieldSchema{Type: framework.TypeMap,
		Description: "A rotate-root that is not finished: step (creating, created or stored), started, old_credential_id, new_credential_id, last_error."}
	fields["leftover_credentials"] = &framework.FieldSchema{Type: framework.TypeSlice,
		Description: "Credentials that failed rotations have left behind at the cloud and that nothing uses: credential_id, since, reason. Delete them there."}
	fields["last_root_rotation"] = moment(false, "When rotate-root last replaced the credential")
	return fields
}

// withProviders lets the field provider have the names of the providers that the mount has.
func withProviders(fields map[string]*framework.FieldSchema, registry cloud.Registry) map[string]*framework.FieldSchema {
	var names []any
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		names = append(names, name)
	}
	fields["provider"].AllowedValues = names
	return fields
}
