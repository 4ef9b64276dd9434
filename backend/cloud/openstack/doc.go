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
//	GET    {iam}/v3/auth/domains               rotation of access keys       none
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
// Rotation replaces access keys and application credentials. A user of the vendors' clouds may have two
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
