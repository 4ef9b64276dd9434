// Package alibabacloud is the provider for Alibaba Cloud's Elastic Compute Service (ECS). It sets passwords of the caller's
// choice by a command that Cloud Assistant runs in the guest; the cloud keeps no initial password that could be read.
//
// The cloud's own way to set a password (ModifyInstanceAttribute) is not used: it takes effect at the next restart by the
// console or the API, and nothing tells whether it did.
//
// # API calls and permissions
//
//	DescribeInstances         ECS 2014-05-26  ecs:DescribeInstances         everything that reads
//	RunCommand                ECS 2014-05-26  ecs:RunCommand                StartReset, checks
//	DescribeInvocationResults ECS 2014-05-26  ecs:DescribeInvocationResults what became of a command
//	DescribeInvocations       ECS 2014-05-26  ecs:DescribeInvocations       a command whose answer was lost (optional)
//	DescribeCloudAssistantStatus ECS 2014-05-26 ecs:DescribeCloudAssistantStatus  whether an agent is online (optional)
//	GetCallerIdentity         STS 2015-04-01  none                          Verify (falls back to DescribeInstances), rotate-root
//	AssumeRole                STS 2015-04-01  sts:AssumeRole                with role_arn
//	ListAccessKeys            RAM 2015-05-01  ram:ListAccessKeys            rotate-root
//	CreateAccessKey           RAM 2015-05-01  ram:CreateAccessKey           rotate-root
//	UpdateAccessKey           RAM 2015-05-01  ram:UpdateAccessKey           rotate-root
//	DeleteAccessKey           RAM 2015-05-01  ram:DeleteAccessKey           rotate-root
//
// A RAM policy that is enough without rotate-root:
//
//	{"Version": "1", "Statement": [
//	  {"Effect": "Allow", "Action": ["ecs:DescribeInstances", "ecs:DescribeInvocations",
//	   "ecs:DescribeInvocationResults", "ecs:DescribeCloudAssistantStatus"], "Resource": "*"},
//	  {"Effect": "Allow", "Action": "ecs:RunCommand",
//	   "Resource": ["acs:ecs:*:*:instance/*", "acs:ecs:*:*:command/*"]}]}
//
// ecs:RunCommand on an instance amounts to root on it.
//
// # Credentials
//
// Requests are signed with the connection's access key or, with use_ambient_credentials, with what is found where Vault
// runs: variables, or the RAM role of the ECS instance. With role_arn, the role's session signs, which lasts an hour and is
// renewed five minutes before its end. Temporary keys that the cloud no longer accepts are replaced: the next call fetches
// others. A failure to get keys proves that the call which needed them was not sent.
//
// Where only endpoints.ecs is overridden, nothing is sent to the public STS and RAM: role_arn and rotate-root then ask for
// the endpoints of sts and ram.
//
// # The client
//
// It is this package's own, as the SDK weighs 2.4 MB and writes scripts into URLs, which logs keep. A request is a POST with a
// form, signed by ACS3-HMAC-SHA256. Where the cloud says that a parameter is missing which was sent, it has not read the
// body: from then on parameters stand in the query, as in all SDKs. No request is repeated unless it certainly did nothing.
//
// # How a reset works
//
// RunCommand is given a script of package guest, which holds a hash or a ciphertext of the password, and answers with the id
// of a command (InvokeId). The outcome is that of the command on the instance: its final state, exit code and output
// (DescribeInvocationResults). The instance keeps running, and must be. A Windows server is asked for its public key before, by
// a command of its own.
//
// Our own id of a request is sent as ClientToken, under which the cloud takes a command once, and as the command's name. After
// a lost answer the command is looked for by its name (DescribeInvocations). RunCommand is never sent again to find that out.
//
// The cloud shows commands and their outputs for some weeks; KeepCommand=false only leaves them out of the list of commands
// for reuse.
//
// # Traps
//
//   - A caller who lacks ecs:DescribeInstances gets an empty list and no error. A dry run tells the difference.
//   - InvalidAccessKeyId.NotFound comes with HTTP status 404.
//   - DescribeInstances returns 10 instances unless MaxResults says more.
//   - A nonce is taken once, so each request has a fresh one.
//
// # Sources
//
// github.com/alibabacloud-go/ecs-20140526/v7 v7.7.0 (client.go and the models of the calls above), darabonba-openapi/v2 v2.1.14
// (the signature), github.com/aliyun/credentials-go v1.4.14 (env.go, ecs_ram_role.go, ram_role_arn.go),
// github.com/aliyun/alibaba-cloud-sdk-go v1.63.107 (sts, ram); the pages help.aliyun.com/zh/resource-management/common-parameters
// (the signature), document_detail/452179.htm (states of commands), document_detail/25686.html, document_detail/51132.html and
// alibabacloud.com/help/doc-detail/40644.htm (error codes), alibabacloud.com/help/doc-detail/25695.html (locked instances). Not
// confirmed by any of them: the window of the signature's date, that RPC calls read a form, the name ecs-user, and the error
// codes that errors.go marks.
package alibabacloud
