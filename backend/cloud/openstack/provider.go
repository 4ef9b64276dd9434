package openstack

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// provider is one connection. It is safe for concurrent use.
type provider struct {
	*sender
	rotator rotator
}

// What the family's clouds can do.
var (
	_ cloud.Provider               = (*provider)(nil)
	_ cloud.InitialPasswordReader  = (*provider)(nil)
	_ cloud.InitialPasswordClearer = (*provider)(nil)
	_ cloud.CredentialRotator      = (*provider)(nil)
	_ cloud.PermissionChecker      = (*provider)(nil)
	_ cloud.CredentialTeller       = (*provider)(nil)
)

// Verify implements cloud.Provider. Listing one server checks the credentials, the region and the
// project at once.
func (p *provider) Verify(ctx context.Context) error {
	return p.do(ctx, call{action: actionVerify, permission: permissionList},
		func(ctx context.Context, client *gophercloud.ServiceClient) error {
			_, err := readPage(ctx, servers.ListSimple(client, servers.ListOpts{Limit: 1}))
			return err
		})
}

// ValidateInstanceID implements cloud.Provider: instance ids are lower-case UUIDs.
func (p *provider) ValidateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return cloud.Errorf(cloud.Refused,
			"instance id: must be a lower-case UUID such as 05184ba3-00ba-4fbc-b7a2-03b62b884931; the cloud's console shows it as the server's ID")
	}
	return nil
}

// DefaultUsername implements cloud.Provider. Plain OpenStack does not tell the platform unless the
// metadata do; since only Windows guests deliver passwords, Windows is what it is taken for.
func (p *provider) DefaultUsername(instance cloud.Instance) string {
	if p.family.plain && instance.LoginUser != "" {
		return instance.LoginUser
	}
	if instance.Platform == cloud.Windows || p.family.plain && instance.Platform == "" {
		return "Administrator"
	}
	return "root"
}

// PasswordRules implements cloud.Provider with the rules that Huawei's reset API documents for both
// platforms (8 to 26 characters of three classes); OTC shares them.
func (p *provider) PasswordRules(instance cloud.Instance) password.Rules {
	rules := password.Rules{
		MinLength:              8,
		MaxLength:              26,
		MinClasses:             3,
		Special:                "!@%-_=+[]:./?",
		ForbidUsername:         true,
		ForbidUsernameReversed: true,
	}
	if instance.Platform == cloud.Windows {
		rules.ForbidUsernameRun = 3
	}
	return rules
}
