// Package tencentcloud is the provider for Tencent Cloud's Cloud Virtual Machine (CVM). It sets
// passwords of the caller's choice with the reset API; the cloud keeps no initial password that
// could be read.
//
// # API calls and permissions
//
//	ResetInstancesPassword  CVM 2017-03-12  cvm:ResetInstancesPassword  StartReset
//	DescribeInstances       CVM 2017-03-12  cvm:DescribeInstances       everything that reads
//	GetCallerIdentity       STS 2018-08-13  sts:GetCallerIdentity       Verify (falls back to DescribeInstances)
//
// A CAM policy that is enough:
//
//	{"version": "2.0", "statement": [{"effect": "allow", "resource": ["*"],
//	  "action": ["cvm:DescribeInstances", "cvm:ResetInstancesPassword", "sts:GetCallerIdentity"]}]}
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
// tencentcloud-sdk-go cvm v1.1.0 (v20170312: client.go, models.go, errors.go), sts v1.1.11, common
// v1.3.209; the API pages tencentcloud.com/document/product/213/33240 (ResetInstancesPassword) and
// 213/33281 (common error codes), and cloud.tencent.com/document/product/1278/46710 (hosts).
package tencentcloud
