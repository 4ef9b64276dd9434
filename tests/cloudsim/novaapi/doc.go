// Package novaapi is the part of the cloud simulator that speaks the APIs of
// one family of clouds: Huawei Cloud ECS, Open Telekom Cloud ECS and plain
// OpenStack, each with its Keystone v3 identity service. It translates HTTP
// into calls of a model.World and answers with the clouds' own bodies.
//
// Like the whole simulator it is a test and demo tool and no security
// boundary.
//
// # What differs between the three
//
//	                huaweicloud            opentelekomcloud       openstack
//	AK/SK           direct dialect         scoped dialect         none
//	refused by      gateway, APIGW.0301    gateway, APIGW.0301    middleware, 401
//	wrong project   403                    403                    400
//	page of a list  25, at most 1000       25, at most 1000       1000
//	/v1/…           all of it              list, show, tags       none of it
//	credentials     access keys            access keys            application credentials
//	tags            key=value strings      key=value strings      metadata and key=value strings
//	microversions   to 2.60                to 2.60                to 2.98
//	temporary keys  tokens, agencies       tokens, agencies       none
//	catalogue       two regions            two regions            the project's
//
// All three take Keystone tokens.
//
// # Services and actions
//
// Faults and Deny patterns name requests by service and action. The identity
// service is `iam` (Huawei Cloud, Open Telekom Cloud) or `identity`
// (OpenStack), with the actions CreateToken, ShowToken, RevokeToken,
// ListProjects, ListDomains, ShowCatalog, ShowUser, ListRegions and ShowRegion;
// on OpenStack also
// ListApplicationCredentials, ShowApplicationCredential,
// CreateApplicationCredential and DeleteApplicationCredential, the same of
// AccessRules but for making them, ShowDomain, and some that take an administrator
// and are always refused; elsewhere
// ListPermanentAccessKeys, ShowPermanentAccessKey, CreatePermanentAccessKey,
// UpdatePermanentAccessKey, DeletePermanentAccessKey, CreateTemporaryAccessKeyByToken and
// CreateTemporaryAccessKeyByAgency. The compute service is
// `ecs` or `compute`, with the actions ListServers, ListServersDetails,
// ShowServer, ListServerTags, ShowServerPassword, DeleteServerPassword, on
// OpenStack ChangePassword, StartServer, StopServer, LockServer and UnlockServer,
// ListKeypairs, ShowKeypair, ListFlavors, ListFlavorsDetails and ShowFlavor
// on /v2.1 and /v2, and ListCloudServersDetails, ShowCloudServer,
// ShowCloudServerTags, ShowCloudServerPassword, DeleteCloudServerPassword and
// ShowResetPasswordFlag on /v1, and ListImages and ShowImage of a small image
// service beside it. Version documents are neither logged nor
// faulted.
//
// # Sources
//
// Paths, fields and limits come from the API references of Open Telekom Cloud
// (elastic-cloud-server) and Huawei Cloud ECS, and from OpenStack's API
// references of Nova and Keystone; the gateway's refusals from Huawei Cloud's
// API request signing guide ("Common Errors Related to IAM Authentication
// Information"); access keys from the chapters "Access Key Management" of both
// vendors' IAM references, application credentials from Keystone's
// keystone/api/users.py. Statuses, headers, shapes and texts of plain OpenStack
// were compared with the answers of Debian 12's Keystone and Nova (OpenStack
// Zed, policies as of later releases, scripts/openstack-dev.sh) to the same
// requests; those know microversions up to 2.93. What they do not say is marked
// [unconfirmed] where it is decided.
package novaapi
