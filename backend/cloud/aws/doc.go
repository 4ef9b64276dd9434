// Package aws is the provider for Amazon EC2: it finds instances, reads the encrypted password
// that Windows made at its first boot, and sets passwords by a command in the server, which Run Command
// of AWS Systems Manager delivers. EC2 itself has no call that sets a password.
//
// # API calls and permissions
//
//	ec2 DescribeInstances            ec2:DescribeInstances            required
//	ec2 GetPasswordData              ec2:GetPasswordData              initial passwords; checked with DryRun
//	ec2 DescribeKeyPairs             ec2:DescribeKeyPairs             optional: a key's fingerprint in error messages
//	ssm SendCommand                  ssm:SendCommand                  resets and checks, on two documents and the instances
//	ssm GetCommandInvocation         ssm:GetCommandInvocation         resets and checks: what became of a command
//	ssm ListCommandInvocations       ssm:ListCommandInvocations       optional: a command whose answer was lost
//	ssm DescribeInstanceInformation  ssm:DescribeInstanceInformation  resets and checks: whether the agent is online
//	sts GetCallerIdentity            none                             verifies the credentials
//	sts AssumeRole                   sts:AssumeRole                   with role_arn
//	iam ListAccessKeys               iam:ListAccessKeys               rotate-root, on the user itself
//	iam CreateAccessKey              iam:CreateAccessKey              rotate-root, on the user itself
//	iam DeleteAccessKey              iam:DeleteAccessKey              rotate-root, on the user itself
//
// Where an operator overrides the endpoint of ec2 but not that of sts, the credentials are verified
// by an ec2 DescribeInstances of one short page instead: the credentials of a private or simulated
// EC2 are never sent, as a signature, to Amazon's own STS. For the same reason role_arn,
// rotate-root, resets and checks then ask for the endpoints of sts, iam and ssm.
//
// An error of a client (HTTP 4xx) proves that nothing was done. Of the other failures of a call that only
// reads, which are all but SendCommand and those of rotate-root, nothing needs to be known.
//
// # Resets
//
// An attempt is one SendCommand, and its request id is the command's id. The scripts and what their exit codes
// mean are those of package guest; for Windows they are experimental. Before a first attempt, EC2 and Systems
// Manager are asked whether the instance runs and its agent is online: without that every try would be an
// attempt whose outcome is only known when the command expires.
//
// The command's comment ends with our own id of the attempt. After a lost answer the command is looked for by it among
// those of its instance, by ListCommandInvocations, and then asked about by its id as any other. Without the
// permission for that listing its outcome stays unknown, as that of a command that is not found.
//
// A password is set if the command has ended with exit code 0 and its output says so. Another exit code means
// what package guest says, and may prove that nothing was changed. A command that timed out, was cancelled or
// could not be delivered has failed, and proves nothing.
//
// A command that comes late, or is run again, changes nothing: the script of package guest keeps the order of passwords and
// a deadline. The cloud itself does not begin with one after its delivery timeout, but an agent keeps the commands that it has
// fetched on disk and, when it starts again within 48 hours, resumes them (agent/framework/processor/processor.go of
// amazon-ssm-agent).
//
// # Checks
//
// A check is one SendCommand with the read-only script of package guest, for Linux, and looks at what became of it. The
// instance and its agent are only asked about if the command is refused. One that timed out or was cancelled has
// shown nothing.
//
// # Credentials
//
// The SDK's own retries are off, it logs nothing, and its clients are configured by the connection
// alone. Requests are signed with the connection's access key or, with use_ambient_credentials, with
// what the SDK's default chain finds where Vault runs: environment variables, shared files (a
// credential_process in them is run), web identity, the roles of a container or an instance. The
// chain's own requests obey its environment and neither endpoints nor ca_certificate; its metadata
// clients reach only the metadata services and loopback. With role_arn, the role's session signs,
// which lasts an hour and is renewed five minutes before its end. Temporary credentials that the cloud
// no longer accepts are fetched again by the next call.
//
// # Sources
//
//   - Amazon EC2 API reference: GetPasswordData, DescribeInstances, DescribeKeyPairs, "Error codes
//     for the Amazon EC2 API" (docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html)
//   - Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API"
//     (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)
//   - Amazon EC2 user guide, "List and filter using the CLI and API"
//     (docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html)
//   - AWS Systems Manager API reference: SendCommand, GetCommandInvocation, ListCommandInvocations, CommandFilter,
//     DescribeInstanceInformation, Command, "Common Error Types"; user guide, "Understanding command statuses"
//     (docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html)
//   - Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems Manager": the
//     resources of ssm:SendCommand and the key ssm:resourceTag
//   - AWS STS API reference: AssumeRole, GetCallerIdentity, "Common errors"
//   - IAM API reference: AccessKey, Role; IAM user guide, "IAM and AWS STS quotas"
//   - aws-sdk-go-v2: service/ec2, service/ssm, service/sts, service/iam, config (resolve_credentials.go),
//     internal/endpoints/awsrulesfn/partitions.json, aws/retry (the throttling codes)
package aws
