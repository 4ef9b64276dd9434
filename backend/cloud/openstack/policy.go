package openstack

import (
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// policies name what OpenStack's own services check for each call (nova/policies/servers.py,
// server_password.py, admin_password.py and keypairs.py; glance/policies/image.py;
// keystone/common/policies/application_credential.py). Releases before 21.0 (Ussuri) of Nova know
// os-server-password as one policy without a suffix.
var policies = map[string]string{
	actionVerify:            "os_compute_api:servers:index",
	actionList:              "os_compute_api:servers:detail",
	actionShow:              "os_compute_api:servers:show",
	actionPassword:          "os_compute_api:os-server-password:show",
	actionClear:             "os_compute_api:os-server-password:clear",
	actionKeypair:           "os_compute_api:os-keypairs:show",
	actionChange:            "os_compute_api:os-admin-password",
	actionImage:             "get_image", // Glance's
	actionListApplication:   "identity:list_application_credentials",
	actionShowApplication:   "identity:get_application_credential",
	actionCreateApplication: "identity:create_application_credential",
	actionDeleteApplication: "identity:delete_application_credential",
}

// policyText is what grants a permission, ready to paste: on the vendors' clouds the JSON of a custom
// policy (version 1.1, for the user's group and the project), on plain OpenStack a role assignment and,
// for clouds whose operators changed the defaults, the line of Nova's policy.yaml.
func (f family) policyText(permission string) string {
	if f.plain {
		return fmt.Sprintf("openstack role add --user USER --project PROJECT member\n# or in Nova's policy.yaml:\n%q: \"role:member and "+
			"project_id:%%(project_id)s\"", permission)
	}
	type statement struct {
		Effect string
		Action []string
	}
	return cloud.PolicyText(struct {
		Version   string
		Statement []statement
	}{"1.1", []statement{{"Allow", []string{permission}}}})
}
