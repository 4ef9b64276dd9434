package backend

import (
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// configFields is the schema of config/<name>.
func configFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name": nameField("Name of the connection."),
		"provider": {Type: framework.TypeString, Required: true, DisplayAttrs: labelled("Provider"),
			Description: "The cloud: aws, tencentcloud, huaweicloud, opentelekomcloud or openstack. Cannot be changed."},
		"region": {Type: framework.TypeString, DisplayAttrs: labelled("Region"),
			Description: "The cloud's region, for example eu-central-1. Fixed while accounts of the connection exist."},
		"project_id": {Type: framework.TypeString, DisplayAttrs: labelled("Project id"),
			Description: "Id of the project in the region (huaweicloud, opentelekomcloud, openstack). Fixed while accounts of the connection exist."},
		"access_key": {Type: framework.TypeString, DisplayAttrs: labelled("Access key"),
			Description: "Access key id (Tencent Cloud: SecretId). Never read back."},
		"secret_key": {Type: framework.TypeString, DisplayAttrs: secretly("Secret key"),
			Description: "Secret access key that belongs to access_key. Never read back."},
		"auth_url": {Type: framework.TypeString, DisplayAttrs: labelled("Authentication URL"),
			Description: "URL of the identity service, version 3 (openstack; opentelekomcloud with username). A change needs the secrets in the same write."},
		"username": {Type: framework.TypeString, DisplayAttrs: labelled("User name"),
			Description: "User of the identity service (openstack, opentelekomcloud), instead of other credentials."},
		"password": {Type: framework.TypeString, DisplayAttrs: secretly("Password"),
			Description: "Password of username. Never read back."},
		"user_domain_name": {Type: framework.TypeString, DisplayAttrs: labelled("User domain name"),
			Description: "Domain of username; on Open Telekom Cloud the account's name."},
		"project_name": {Type: framework.TypeString, DisplayAttrs: labelled("Project name"),
			Description: "Name of the project, instead of project_id, with username."},
		"project_domain_name": {Type: framework.TypeString, DisplayAttrs: labelled("Project domain name"),
			Description: "Domain of project_name. Defaults to user_domain_name."},
		"signature_style": {Type: framework.TypeString, DisplayAttrs: labelled("Signature style"),
			AllowedValues: []any{cloud.SignatureDirect, cloud.SignatureScoped},
			Description:   "Dialect in which requests are signed with access_key: direct (default on huaweicloud) or scoped (default on opentelekomcloud)."},
		"role_arn": {Type: framework.TypeString, DisplayAttrs: labelled("Role ARN"),
			Description: "Role to assume with the credentials (aws, tencentcloud)."},
		"external_id": {Type: framework.TypeString, DisplayAttrs: labelled("External id"),
			Description: "External id that the trust policy of role_arn asks for. It is no secret."},
		ambientField: {Type: framework.TypeBool, DisplayAttrs: labelled("Use ambient credentials"),
			Description: "Use the credentials that the environment of the Vault server supplies, such as variables or instance roles, instead of access_key (aws, tencentcloud). Default: false."},
		applicationIDField: {Type: framework.TypeString, DisplayAttrs: labelled("Application credential id"),
			Description: "Id of a Keystone application credential (openstack), instead of username."},
		applicationSecretField: {Type: framework.TypeString, DisplayAttrs: secretly("Application credential secret"),
			Description: "Secret of application_credential_id. Never read back."},
		"endpoints": {Type: framework.TypeKVPairs, DisplayAttrs: labelled("Endpoints"),
			Description: "URLs of services instead of the cloud's own, as service=URL: ec2, sts, iam, ssm (aws); cvm, sts, cam, tat (tencentcloud); ecs, iam (huaweicloud, opentelekomcloud); compute (openstack). A change needs the secrets in the same write."},
		"ca_certificate": {Type: framework.TypeString,
			DisplayAttrs: &framework.DisplayAttributes{Name: "CA certificate", EditType: "file"},
			Description:  "PEM certificates to trust instead of the system's. A change needs the secrets in the same write."},
		"allowed_roles": {Type: framework.TypeCommaStringSlice, DisplayAttrs: labelled("Allowed roles"), Default: []string{"*"},
			Description: "Names or globs of the roles that may use the connection. Default: all."},
		"required_tags": {Type: framework.TypeKVPairs, DisplayAttrs: labelled("Required tags"),
			Description: "Tags that an instance must all carry to be served by the connection at all. Checked when a role is written and when tags are resolved."},
		"max_requests_per_second": {Type: framework.TypeFloat, DisplayAttrs: labelled("Requests per second"),
			Description: fmt.Sprintf("Limit of requests a second for each API action, at most %d. Default by provider.", maxRequestsPerSecond)},
		"request_timeout": {Type: framework.TypeDurationSecond, DisplayAttrs: labelled("Request timeout"),
			Description: fmt.Sprintf("Longest time for one request to the cloud, %s to %s. Default: %s.", minRequestTimeout, maxRequestTimeout, defaultRequestTimeout)},
		"password_policy": {Type: framework.TypeString, DisplayAttrs: labelled("Password policy"),
			Description: "Vault password policy for the connection's roles. Default: the built-in generator."},
		"verify_connection": {Type: framework.TypeBool, DisplayAttrs: labelled("Verify connection"), Default: true,
			Description: "Make one authenticated call when the connection is written, and store it only if that succeeds. Default: true."},
	}
}

// configResponse is the schema of a read: the fields of the write without the name and what is never
// read back. Which of the others there are depends on the provider.
func configResponse() map[string]*framework.FieldSchema {
	fields := configFields()
	delete(fields, "name")
	for _, f := range connectionTexts {
		if f.writeOnly {
			delete(fields, f.name)
		}
	}
	for _, name := range []string{"provider", "allowed_roles", "required_tags", "max_requests_per_second", "request_timeout", "verify_connection"} {
		fields[name].Required = true
	}
	fields["root_rotation"] = &framework.FieldSchema{Type: framework.TypeMap,
		Description: "A rotate-root that is not finished: step (creating, created or stored), started, old_credential_id, new_credential_id, last_error."}
	fields["leftover_credentials"] = &framework.FieldSchema{Type: framework.TypeSlice,
		Description: "Credentials that failed rotations have left behind at the cloud and that nothing uses: credential_id, since, reason."}
	fields["last_root_rotation"] = &framework.FieldSchema{Type: framework.TypeString,
		Description: "When rotate-root last replaced the credential, RFC 3339."}
	return fields
}
