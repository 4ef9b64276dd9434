package openstack

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"

// refusalOf says what to do where the cloud does not accept the keys that a connection has without an agency; "" for a user's
// permanent ones, and where there are none.
func refusalOf(cfg cloud.Config) string {
	switch {
	case cfg.Flag(cloud.AmbientCredentials):
		return "the cloud does not accept the ambient credentials of the Vault server (use_ambient_credentials), which the next call " +
			"fetches again; check the variables or the agency of the ECS, project_id, region and signature_style (direct or scoped)"
	case cfg.Text(fieldSecurityToken) != "":
		return "the cloud does not accept access_key with security_token: temporary keys end within 24 hours, so write a new access_key, " +
			"secret_key and security_token, all of one answer; if they are new, check project_id, region, signature_style (direct or scoped) " +
			"and this host's clock"
	}
	return ""
}

// refusal says what to do where the cloud does not accept the agency's keys.
func (a *agency) refusal() string {
	return "the cloud does not accept the keys of the " + a.String() + ", which the next call fetches again; check project_id, region and " +
		"signature_style (direct or scoped)"
}
