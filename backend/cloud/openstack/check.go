package openstack

import (
	"context"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// unknownKeyPair is asked for where there is no better name: "not found" proves the permission, too.
const unknownKeyPair = "cloudpw-check"

// CheckPermissions implements cloud.PermissionChecker. None of these clouds has a dry run. What only
// reads is tried, on some server of the project; the ciphertext that this brings is dropped at once.
// Clearing is not tried: IAM has one permission for reading and clearing, Nova has two policies.
//
// Its error is about the connection as a whole: the credentials are wrong, the cloud cannot be reached.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	if _, err := p.sessions.get(ctx); err != nil {
		return nil, err
	}
	sample, err := p.sampleServer(ctx)
	if err != nil && !p.forbidden(err) {
		return nil, err
	}
	listed := verdictOf(err)
	p.describe(&listed, actionList, permissionList, "find instances by tags, verify the connection", true)

	show := untried("there is no server in the project to try it with")
	read := show
	if err != nil {
		show = untried("it takes a server to try it with, and they cannot be listed")
		read = show
	}
	pair := unknownKeyPair
	if sample.ID != "" {
		_, err := p.show(ctx, sample.ID)
		show = verdictOf(err)
		read = verdictOf(p.CheckInitialPassword(ctx, sample.ID))
		if segmentName(sample.KeyName) {
			pair = sample.KeyName
		}
	}
	clearing := read
	if p.family.plain {
		clearing = untried("Nova has no way to try it without clearing a password")
	}
	p.describe(&show, actionShow, permissionShow, "describe instances", true)
	p.describe(&read, actionPassword, permissionPassword, "read initial passwords", true)
	p.describe(&clearing, actionClear, permissionPassword, "clear initial passwords (clear_initial)", false)

	_, err = p.keyPair(ctx, pair)
	if a, answered := answerOf(err); answered && a.status == http.StatusNotFound {
		err = nil
	}
	key := verdictOf(err)
	p.describe(&key, actionKeypair, permissionKeypair, "name the key's fingerprint in errors", false)
	all := []cloud.Permission{listed, show, read, clearing, key}
	if p.family.plain {
		all = append(all, p.resetPermissions(ctx, sample)...)
	}
	if p.agency != "" {
		all = append(all, cloud.Permission{
			Action: permissionAssume, Purpose: "work as the " + p.agency, Required: true, Verdict: cloud.PermissionGranted,
		})
	}
	return append(all, p.rotator.permissions(ctx)...), nil
}

// resetPermissions are those of changePassword. Nova looks at the policy after it has read the request and
// found the server, so there is no way to try it that could not set a password.
func (p *provider) resetPermissions(ctx context.Context, sample server) []cloud.Permission {
	change := untried("Nova has no way to try it without setting a password")
	p.describe(&change, actionChange, "", "set passwords (reset_method=api)", false)
	image := untried("there is no server with an image in the project to try it with")
	if sample.Image.ID != "" {
		properties, err := p.imageProperties(ctx, sample.Image.ID)
		image = verdictOf(err)
		if err == nil && properties == nil {
			image = untried("the image of a server cannot be read; Nova shows what matters of it from microversion 2.98 on, otherwise name " +
				"the user on the server: openstack server set --property os_admin_user=USER SERVER")
		}
	}
	p.describe(&image, actionImage, "", "tell whose password Nova sets, for reset_method=api", false)
	return []cloud.Permission{change, image}
}

// sampleServer returns a server to try permissions on, one that may have an initial password if the
// first page has such; the zero server if there is none.
func (p *provider) sampleServer(ctx context.Context) (server, error) {
	var listed page
	err := p.withMicroversion(ctx, call{action: actionList, permission: permissionList},
		func(ctx context.Context, client *gophercloud.ServiceClient) (err error) {
			listed, err = readPage(ctx, servers.List(client, servers.ListOpts{Limit: pageSize}))
			return err
		})
	var sample server
	for _, s := range listed.servers {
		if p.ValidateInstanceID(s.ID) != nil {
			continue
		}
		if sample.ID == "" || s.KeyName != "" && s.platform() != cloud.Linux {
			sample = s
		}
		if sample.KeyName != "" && sample.platform() == cloud.Windows {
			break
		}
	}
	return sample, err
}

// describe completes a verdict with what it is about. Policies are for permissions that may be missing.
func (p *provider) describe(permission *cloud.Permission, action, vendor, purpose string, required bool) {
	permission.Action, permission.Purpose, permission.Required = vendor, purpose, required
	if p.family.plain {
		permission.Action = policies[action]
	}
	if permission.Verdict != cloud.PermissionGranted && permission.Policy == "" {
		permission.Policy = p.family.policyText(permission.Action)
		if p.applicationCredential != "" {
			permission.Policy += "\n# and then, as an application credential has the roles that it was made with:\n" + createWithRoles
		}
	}
}

// forbidden tells a missing permission from credentials that are not accepted at all. Access rules of an
// application credential that leave a call out are the former, though the status is the other's: the
// token is a new one.
func (p *provider) forbidden(err error) bool {
	a, answered := answerOf(err)
	return cloud.KindOf(err) == cloud.Denied && answered && (a.status == http.StatusForbidden || a.status == http.StatusUnauthorized &&
		p.applicationCredential != "")
}
