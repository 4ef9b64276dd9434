// Package openstack holds the providers of the OpenStack API family: Nova and Keystone as Huawei
// Cloud and Open Telekom Cloud (OTC) run them. Both keep the password that a Windows guest made at
// its first boot, encrypted for the instance's key pair; neither offers a reset that reports its
// outcome, so the providers read and clear initial passwords and reset nothing.
//
// # Calls and permissions
//
// All calls go to the native API, {endpoint}/v2.1/{project_id}/ (OTC also has /v2/), because only
// there the password call exists in both clouds.
//
//	call                                       used by                       permission
//	GET    servers?limit=1                     Verify                        ecs:servers:list
//	GET    servers/{id}                        DescribeInstances             ecs:servers:get
//	GET    servers/detail                      FindInstances, large          ecs:servers:list
//	                                           DescribeInstances
//	GET    servers/{id}/os-server-password     InitialPassword, its check    ecs:serverPasswords:manage
//	DELETE servers/{id}/os-server-password     ClearInitialPassword          ecs:serverPasswords:manage
//	GET    os-keypairs/{name}                  KeyFingerprint (optional)     ecs:serverKeypairs:get
//	POST   {iam}/v3/auth/tokens                user name and password only   none
//
// # Credentials
//
// Access keys sign every request with SDK-HMAC-SHA256, in one of two dialects (see signer). A user
// name and password are exchanged for a Keystone token, which is used until shortly before its end
// and renewed once when the cloud answers 401.
//
// # Tags
//
// Instance.Tags are the cloud's key=value tags, which the native API lists from microversion 2.26
// on, and below them the instance's metadata. Matching happens here: the API's own tags filter
// matches keys on these clouds and whole strings on plain Nova. OTC's /v2/ form knows no
// microversions, so below an endpoint that ends in /v2 only the metadata counts.
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
//   - Nova's fault names and limits: github.com/openstack/nova, nova/api/openstack/wsgi.py and
//     nova/api/metadata/password.py.
package openstack
