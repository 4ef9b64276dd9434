// Package tencentcloud is the provider for Tencent Cloud's Cloud Virtual Machine (CVM). It sets
// passwords of the caller's choice with the reset API; the cloud keeps no initial password that
// could be read.
//
// # API calls and permissions
//
//	ResetInstancesPassword  CVM 2017-03-12  cvm:ResetInstancesPassword  StartReset
//	DescribeInstances       CVM 2017-03-12  cvm:DescribeInstances       everything that reads
//	GetCallerIdentity       STS 2018-08-13  sts:GetCallerIdentity       Verify (falls back to DescribeInstances), rotate-root
//	AssumeRole              STS 2018-08-13  sts:AssumeRole              with role_arn
//	ListAccessKeys          CAM 2019-01-16  cam:ListAccessKeys          rotate-root
//	CreateAccessKey         CAM 2019-01-16  cam:CreateAccessKey         rotate-root
//	UpdateAccessKey         CAM 2019-01-16  cam:UpdateAccessKey         rotate-root
//	DeleteAccessKey         CAM 2019-01-16  cam:DeleteAccessKey         rotate-root
//
// A CAM policy that is enough without rotate-root:
//
//	{"version": "2.0", "statement": [{"effect": "allow", "resource": ["*"],
//	  "action": ["cvm:DescribeInstances", "cvm:ResetInstancesPassword", "sts:GetCallerIdentity"]}]}
//
// # Credentials
//
// Requests are signed with the connection's access key or, with use_ambient_credentials, with what is
// found where Vault runs: variables, the SDK's shared file, the CAM role of the CVM instance. With
// role_arn, the role's session signs, which lasts two hours and is renewed five minutes before its
// end. Temporary keys that the cloud no longer accepts are fetched anew by the next call. A failure to
// get keys proves that the call which needed them was not sent.
//
// Where only endpoints.cvm is overridden, nothing is sent to the public STS and CAM: role_arn and
// rotate-root then ask for the endpoints of sts and cam.
//
// # How a reset works
//
// ResetInstancesPassword answers with a request id, which means accepted and not done. The outcome
// is what DescribeInstances shows as LatestOperationState while LatestOperationRequestId is that
// request id. The cloud resets stopped instances; with ForceStop it shuts a running one down first.
// It runs one operation per instance at a time and refuses others with MutexOperation.TaskRunning.
//
// # Traps
//
//   - Errors come with HTTP 200. An answer is believed only if it is a JSON object with a Response.
//   - DescribeInstances returns 20 instances unless Limit says more.
//   - The SDK's http.Client follows redirects, with the body. Its requests therefore leave through
//     the connection's own client, and a redirect is an unusable answer.
//   - The SDK's retries sleep without regard to the context. They are off; the caller retries.
//   - The SDK's debug switch prints whole requests, passwords included. It is never set.
//
// # Sources
//
// tencentcloud-sdk-go cvm v1.1.0 (v20170312: client.go, models.go, errors.go), sts v1.1.11, cam
// v1.3.42, common v1.3.209 (cvm_role_provider.go); the pages tencentcloud.com/document/product/213/4934
// (instance metadata) and 1150/49456 (AssumeRole); the API pages tencentcloud.com/document/product/213/33240 (ResetInstancesPassword) and
// 213/33281 (common error codes), and cloud.tencent.com/document/product/1278/46710 (hosts).
package tencentcloud
