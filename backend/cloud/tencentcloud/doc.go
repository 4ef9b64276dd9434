// Package tencentcloud is the provider for Tencent Cloud's Cloud Virtual Machine (CVM). It sets
// passwords of the caller's choice, with the reset API or by a command that Tencent's Automation Tools
// (TAT) run in the guest; the cloud keeps no initial password that could be read.
//
// # API calls and permissions
//
//	ResetInstancesPassword  CVM 2017-03-12  cvm:ResetInstancesPassword  StartReset
//	DescribeInstances       CVM 2017-03-12  cvm:DescribeInstances       everything that reads
//	RunCommand              TAT 2020-10-28  tat:RunCommand              with reset_method=command or check_method=command
//	DescribeInvocationTasks TAT 2020-10-28  tat:DescribeInvocationTasks with reset_method=command or check_method=command
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
// With reset_method=command, tat:RunCommand and tat:DescribeInvocationTasks take the place of
// cvm:ResetInstancesPassword; with check_method=command they are needed, too. tat:RunCommand on an instance amounts to root on it.
//
// # Credentials
//
// Requests are signed with the connection's access key or, with use_ambient_credentials, with what is
// found where Vault runs: variables, the SDK's shared file, the CAM role of the CVM instance. With
// role_arn, the role's session signs, which lasts two hours and is renewed five minutes before its
// end. Temporary keys that the cloud no longer accepts are replaced: the next call fetches others. A failure to
// get keys proves that the call which needed them was not sent.
//
// Where only endpoints.cvm is overridden, nothing is sent to the public STS, CAM and TAT: role_arn,
// rotate-root, reset_method=command and check_method=command then ask for the endpoints of sts, cam and tat.
//
// # How a reset by the API works
//
// ResetInstancesPassword answers with a request id, which means accepted and not done. The outcome
// is what DescribeInstances shows as LatestOperationState while LatestOperationRequestId is that
// request id. The cloud resets stopped instances; with ForceStop it shuts a running one down first.
// It runs one operation per instance at a time and refuses others with MutexOperation.TaskRunning.
//
// # How a reset by a command works
//
// RunCommand is given a script of package guest, which holds a hash or a ciphertext of the password, and
// answers with the id of an invocation. The outcome is that of the invocation's task on the instance:
// its final state, exit code and output (DescribeInvocationTasks). The instance keeps running, and must
// be: RunCommand refuses one that is not, or whose agent is offline. TAT keeps the command and its output
// for a while; SaveCommand=false only leaves it out of the list of commands for reuse. A Windows server is
// asked for its public key before, by a command of its own.
//
// The script's last line bears our own id of the attempt, since nothing else that a caller chooses is shown of a task.
// After a lost answer the invocation is looked for by it among the tasks of its instances, within bounds (see
// command.find), and then asked about by its id as any other. One that is not found may be there all the same.
//
// # How a check by a command works
//
// RunCommand is given the read-only script of package guest, for Linux, and the outcome is that of its task. A task
// that did not end by itself has shown nothing.
//
// # Traps
//
//   - A timestamp may be five minutes from the cloud's clock, to either side (page 213/33281). The SDK takes the X-TC-Timestamp of a
//     request's own headers before it signs (common/client.go, sendWithSignatureV3), which expiry.go uses.
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
// v1.3.42, tat v1.0.634 (v20201028), common v1.3.209 (cvm_role_provider.go); the pages tencentcloud.com/document/product/213/4934
// (instance metadata) and 1150/49456 (AssumeRole); the API pages tencentcloud.com/document/product/213/33240 (ResetInstancesPassword) and
// 213/33281 (common error codes), and cloud.tencent.com/document/product/1278/46710 (hosts).
package tencentcloud
