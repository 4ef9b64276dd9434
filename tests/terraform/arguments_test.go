package terraform

// arguments are what the resources and data sources of the modules take, from these sources:
//   - hashicorp/vault: website/docs/r of github.com/hashicorp/terraform-provider-vault at 5.12 (unreleased, August 2026), and the
//     schema in the package @cdktf/provider-vault 15.6.1
//   - hashicorp/aws, azurerm, azuread: the schemas in the packages @cdktf/provider-aws 21.22.1, -azurerm 14.23.1, -azuread 14.3.1
//   - aliyun/alicloud, tencentcloudstack/tencentcloud, huaweicloud/huaweicloud, terraform-provider-openstack/openstack: the
//     provider's documentation of each resource, in its repository
var arguments = map[string]Arguments{
	"resource vault_mount": {Required: []string{"path", "type"}, Optional: []string{"namespace", "description", "default_lease_ttl_seconds",
		"max_lease_ttl_seconds", "audit_non_hmac_response_keys", "audit_non_hmac_request_keys", "local", "options", "seal_wrap",
		"external_entropy_access", "allowed_managed_keys", "listing_visibility", "passthrough_request_headers", "allowed_response_headers",
		"delegated_auth_accessors", "plugin_version", "identity_token_key"}},
	"resource vault_plugin": {Required: []string{"type", "name", "command", "sha256"},
		Optional: []string{"version", "args", "env", "oci_image", "runtime"}},
	"resource vault_policy": {Required: []string{"name", "policy"}, Optional: []string{"namespace"}},
	"resource vault_generic_endpoint": {Required: []string{"path", "data_json"},
		Optional: []string{"namespace", "disable_read", "disable_delete", "ignore_absent_fields", "write_fields"}},

	"resource aws_iam_user": {Required: []string{"name"}, Optional: []string{"force_destroy", "path", "permissions_boundary", "tags"}},
	"resource aws_iam_policy": {Required: []string{"policy"},
		Optional: []string{"description", "name", "name_prefix", "path", "tags"}},
	"resource aws_iam_user_policy_attachment": {Required: []string{"user", "policy_arn"}},
	"resource aws_iam_role": {Required: []string{"assume_role_policy"}, Optional: []string{"description", "force_detach_policies",
		"max_session_duration", "name", "name_prefix", "path", "permissions_boundary", "tags"}},
	"resource aws_iam_role_policy_attachment": {Required: []string{"role", "policy_arn"}},
	"data aws_partition":                      {},

	"resource azurerm_role_definition": {Required: []string{"name", "scope"}, Optional: []string{"assignable_scopes", "description",
		"role_definition_id"}, Blocks: []string{"permissions", "timeouts"}},
	"resource azurerm_role_assignment": {Required: []string{"scope", "principal_id"}, Optional: []string{"condition", "condition_version",
		"description", "name", "principal_type", "role_definition_id", "role_definition_name", "skip_service_principal_aad_check"}},
	"resource azuread_application":       {Required: []string{"display_name"}, Optional: []string{"description", "owners", "tags"}},
	"resource azuread_service_principal": {Required: []string{"client_id"}, Optional: []string{"description", "owners", "tags"}},

	"resource alicloud_ram_user": {Required: []string{"name"}, Optional: []string{"display_name", "mobile", "email", "comments", "force"}},
	"resource alicloud_ram_policy": {Required: []string{"policy_name", "policy_document"},
		Optional: []string{"description", "rotate_strategy", "force", "tags"}},
	"resource alicloud_ram_user_policy_attachment": {Required: []string{"user_name", "policy_name", "policy_type"}},

	"resource tencentcloud_cam_user": {Required: []string{"name"}, Optional: []string{"console_login", "country_code", "email",
		"force_delete", "need_reset_password", "password", "phone_num", "remark", "tags", "use_api"}},
	"resource tencentcloud_cam_policy":                 {Required: []string{"name", "document"}, Optional: []string{"description"}},
	"resource tencentcloud_cam_user_policy_attachment": {Required: []string{"user_name", "policy_id"}},

	"resource huaweicloud_identity_user": {Required: []string{"name"}, Optional: []string{"description", "email", "phone", "country_code",
		"password", "enabled", "access_type"}},
	"resource huaweicloud_identity_group":            {Required: []string{"name"}, Optional: []string{"description"}},
	"resource huaweicloud_identity_group_membership": {Required: []string{"group", "users"}},
	"resource huaweicloud_identity_role":             {Required: []string{"name", "description", "type", "policy"}},
	"resource huaweicloud_identity_group_role_assignment": {Required: []string{"group_id", "role_id", "project_id"},
		Optional: []string{"domain_id", "enterprise_project_id"}},

	"resource openstack_identity_application_credential_v3": {Required: []string{"name"}, Optional: []string{"region", "description",
		"unrestricted", "secret", "roles", "expires_at"}, Blocks: []string{"access_rules"}},
}
