// Package openstack holds the providers of the OpenStack API family: Nova and Keystone as they come,
// and as Huawei Cloud and Open Telekom Cloud (OTC) run them. All keep the password that a Windows guest
// made at its first boot, encrypted for the instance's key pair. The vendors' resets report no outcome, so
// none is used. Huawei Cloud also runs scripts in Linux servers, by which passwords are set and checked; see
// package coc. Plain OpenStack sets passwords by Nova's server action changePassword; see the type
// changePassword.
//
// # Calls and permissions
//
// Calls to the compute service go to the native API, {endpoint}/v2.1/{project_id}/ (OTC and older Novas
// also have /v2/), because only there the password call exists in all clouds.
//
//	call                                       used by                       permission
//	GET    servers?limit=1                     Verify                        ecs:servers:list
//	GET    servers/{id}                        DescribeInstances             ecs:servers:get
//	GET    servers/detail                      FindInstances, large          ecs:servers:list
//	                                           DescribeInstances
//	GET    servers/{id}/os-server-password     InitialPassword, its check    ecs:serverPasswords:manage
//	DELETE servers/{id}/os-server-password     ClearInitialPassword          ecs:serverPasswords:manage
//	GET    os-keypairs/{name}                  KeyFingerprint (optional)     ecs:serverKeypairs:get
//	POST   servers/{id}/action                 StartReset, OpenStack only    -
//	GET    {image}/v2/images/{id}              PrepareReset, OpenStack only  -
//	{coc}/v1/job/...                           reset and check methods,      see package coc
//	                                           Huawei Cloud only
//	POST   {iam}/v3/auth/tokens                Keystone's credentials        none
//	GET    {iam}/v3/auth/domains               access keys, at IAM           none
//	POST   {iam}/v3.0/OS-CREDENTIAL/           an agency's keys              iam:agencies:assume
//	       securitytokens
//	GET, POST, DELETE                          rotation of access keys       none, for one's own
//	       {iam}/v3.0/OS-CREDENTIAL/credentials
//	GET, POST, DELETE                          rotation of application       none, for one's own
//	       {keystone}/v3/users/{id}/           credentials
//	       application_credentials
//
// OpenStack's own services check policies instead; they are in the variable policies.
//
// # Credentials
//
// Access keys sign every request with SDK-HMAC-SHA256, in one of two styles (see package signing). A user
// name and password, or on plain OpenStack an application credential, are exchanged for a Keystone
// token, which is used until shortly before its end and renewed once when the cloud answers 401.
// The vendors' references have no application credentials, so they are refused there.
//
// The vendors' clouds also have temporary keys, whose security token is signed with the request. A
// connection has one of its own (security_token), or takes those of the Vault server's surroundings
// (use_ambient_credentials): variables, then the metadata service of the ECS. With any credentials a
// connection can work as an agency (agency_name), whose keys IAM gives for an hour. A user does that
// with a token for the user's own domain, where the permission is. Keys of the surroundings and of an
// agency are fetched again before they end, and once when the cloud answers 401.
//
// A token is sent to hosts of the cloud that gave it: by region, where an operator says so, or where the
// catalogue says so and it is the same cloud (see package keystone).
//
// Rotation replaces access keys and application credentials: those that a connection has, also where
// it works as an agency with them; temporary keys have no successor. A user of the vendors' clouds may have two
// access keys; the list of his own keys tells the user id that making one needs. Application
// credentials are made by unrestricted ones, or with a password; a new one has the roles, access rules
// and end of the old one.
//
// # Plain OpenStack
//
// The compute endpoint is the public one of the region in the catalogue, unless endpoints.compute is
// set. Nova does not tell the platform of a server before microversion 2.98, which shows its image's
// properties; the metadata keys os_type and image_name do, where somebody set them. Without them Windows
// is assumed for the name of the user: "Administrator". Images of Cloudbase-Init whose user is "Admin"
// need a role with username.
//
// A server whose cell does not answer is left out of Nova's lists and shown, from microversion 2.69 on,
// without what it is like; both count as "ask again later", never as a server that is gone.
//
// # Tags
//
// Instance.Tags are the cloud's key=value tags, which the native API lists from microversion 2.26
// on, and below them the instance's metadata. Matching happens here: the API's own tags filter
// matches keys on the vendors' clouds and whole strings on plain Nova. The /v2/ form and Novas before
// microversion 2.26 (Newton) have no tags in these answers, so there only the metadata counts.
//
// # Sources
//
//   - OTC: "Elastic Cloud Server API Reference", chapters "Native OpenStack Nova APIs", "Permissions
//     and Supported Actions" and "Error Codes" (github.com/opentelekomcloud-docs/elastic-cloud-server,
//     July 2026).
//   - Huawei Cloud: support.huaweicloud.com/intl, "ECS API Reference" and "API Request Signing Guide"
//     (error codes, signing, lock of an access key after five failed signatures).
//   - Region endpoints: github.com/huaweicloud/huaweicloud-sdk-go-v3, services/ecs/v2/region; OTC's
//     Terraform provider documentation.
//   - Scoped signatures: github.com/opentelekomcloud/gophertelekomcloud, signer_helper.go and
//     provider_client.go.
//   - Access keys: support.huaweicloud.com/intl, "Identity and Access Management API Reference", Access
//     Key Management (the list needs no user_id; quota of two in "Notes and Constraints"); the same
//     chapter of OTC's (github.com/opentelekomcloud-docs/identity-access-management), which has the
//     answer akSkNumExceed. Requests under X-Domain-Id: core/auth/global_credentials.go of Huawei's Go SDK.
//   - Agencies: support.huaweicloud.com/intl, "Identity and Access Management API Reference",
//     CreateTemporaryAccessKeyByAgency (a signature or a token; the agency's account by name or by id); OTC's, "Obtaining
//     a Temporary AK/SK", which only speaks of tokens; that OTC takes signatures, too, is from issue 954 of
//     github.com/opentelekomcloud/gophertelekomcloud. Unconfirmed: what IAM answers for an agency that it does not
//     give, here taken to be 403 or 404; and that a token for the user's domain is the one to ask with.
//   - Temporary keys: github.com/huaweicloud/huaweicloud-sdk-go-v3, core/auth/base_credentials.go (X-Security-Token is
//     signed) and core/auth/provider/env_provider.go (variables). Unconfirmed: what the gateway says of one that has
//     ended, so that every 401 is understood so.
//   - Metadata: OTC, "Elastic Cloud Server User Guide", Obtaining Metadata (security key: an hour, a new one ten minutes
//     before); the SDK's core/auth/internal/metadata_accessor.go (its token, and its answer without an agency).
//   - Application credentials: github.com/openstack/keystone, keystone/api/users.py and
//     keystone/application_credential/schema.py.
//   - Nova's policies: github.com/openstack/nova, nova/policies and
//     nova/api/openstack/compute/server_password.py.
//   - Setting passwords: github.com/openstack/nova, nova/api/openstack/compute/admin_password.py,
//     nova/compute/api.py and rpcapi.py and manager.py, and nova/virt/libvirt/driver.py (all
//     set_admin_password); oslo.messaging's impl_rabbit.py, where a call's message expires after its caller's
//     timeout. Tried on the Keystone and Nova of Debian 12, with the driver "fake".
//   - Nova's fault names and limits: github.com/openstack/nova, nova/api/openstack/wsgi.py and
//     nova/api/metadata/password.py.
package openstack
