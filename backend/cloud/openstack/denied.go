package openstack

import (
	"net/http"
	"strings"
)

// deniedHint tells wrong credentials from a missing permission, as far as the cloud does.
func (a answer) deniedHint(c call) string {
	permission := a.status == http.StatusForbidden || strings.HasPrefix(a.code, "Ecs.0003") || strings.HasPrefix(a.code, "Ecs.0110") ||
		a.code == "Pdp.0001"
	reason := strings.ToLower(a.reason)
	login := c.identity && c.action == actionToken
	switch {
	case c.plain:
		return plainDeniedHint(c, permission, reason)
	case login && permission:
		return "the user may not use this project; check project_id or project_name, and the user's groups in IAM"
	case login:
		return "the cloud does not accept the user; check username, password, user_domain_name and whether the user is locked"
	case permission && c.identity:
		return hintAccessKeys
	case permission && c.permission != "":
		return "the credentials lack the permission " + c.permission + " in this project; for the policy to add, see: " + c.check.String()
	case strings.Contains(reason, "failed to reach the limit"):
		return "the access key is locked after five wrong signatures; check secret_key and try again in five minutes"
	case c.refusal == "" && strings.Contains(reason, "ak not exist"):
		return "the cloud does not know the access key; check access_key and region"
	case strings.Contains(reason, "signature expired"): // as users of huaweicloud-sdk-java-v3 saw it
		return hintClock
	case c.refusal != "":
		return c.refusal
	case !c.signed && strings.Contains(reason, "token"):
		return hintToken
	}
	return hintKeys
}

// plainDeniedHint is deniedHint for Keystone and Nova as they come. Keystone answers a wrong password,
// an unknown project and a missing role alike.
func plainDeniedHint(c call, permission bool, reason string) string {
	login := c.identity && c.action == actionToken
	switch {
	case login && c.applicationCredential != "":
		return hintApplicationCredential(c)
	case login:
		return "Keystone does not accept the user for this project; check username, password, user_domain_name, project_id or project_name, " +
			"and the user's roles: openstack role assignment list --names --user USER --project PROJECT"
	case permission && strings.Contains(reason, "managing additional application credentials"):
		return hintRestricted
	case permission && c.permission != "" && c.applicationCredential != "":
		return "the credentials lack the permission " + c.permission + " in this project; an application credential has the roles that it was " +
			"made with, so make another, of a user who has a role with the permission: " +
			createWithRoles + "; for all that is missing: " + c.check.String()
	case permission && c.permission != "":
		return "the credentials lack the permission " + c.permission + " in this project; give the user a role that has it: openstack role " +
			"add --user USER --project PROJECT member; for all that is missing: " + c.check.String()
	case permission:
		return "the credentials may not do this in this project; see: " + c.check.String()
	}
	hint := "the cloud does not accept the token that auth_url gave; check that the compute endpoint belongs to the same cloud: openstack " +
		"catalog show compute"
	if c.applicationCredential != "" {
		// keystonemiddleware answers 401 to what the access rules do not name, and to everything where there are
		// rules and the service's configuration has no service_type (auth_token/__init__.py,
		// validate_allowed_request).
		hint += "; or the application credential's access rules leave this call out: openstack application credential show " +
			c.applicationCredential
	}
	return hint
}

// createWithRoles makes an application credential that may do everything: Keystone gives it no role that its
// roles imply, as it gives users the reader of a member.
const createWithRoles = "openstack application credential create --unrestricted --role member --role reader cloudpw"

func hintApplicationCredential(c call) string {
	return "Keystone does not accept the application credential: it has ended or was deleted, its secret is wrong, or its user was " +
		"disabled; see: openstack application credential show " +
		c.applicationCredential + "; for another one: openstack application credential create --unrestricted cloudpw"
}
