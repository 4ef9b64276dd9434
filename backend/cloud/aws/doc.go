// Package aws is the provider for Amazon EC2: it finds instances and reads the encrypted password
// that Windows made at its first boot. EC2 has no call that sets a password, so the provider cannot
// reset.
//
// # API calls and permissions
//
//	ec2 DescribeInstances   ec2:DescribeInstances   required
//	ec2 GetPasswordData     ec2:GetPasswordData     required; checked with DryRun
//	ec2 DescribeKeyPairs    ec2:DescribeKeyPairs    optional: a key's fingerprint in error messages
//	sts GetCallerIdentity   none                    verifies the credentials
//	sts AssumeRole          sts:AssumeRole          with role_arn
//	iam ListAccessKeys      iam:ListAccessKeys      rotate-root, on the user itself
//	iam CreateAccessKey     iam:CreateAccessKey     rotate-root, on the user itself
//	iam DeleteAccessKey     iam:DeleteAccessKey     rotate-root, on the user itself
//
// Where an operator overrides the endpoint of ec2 but not that of sts, the credentials are verified
// by an ec2 DescribeInstances of one short page instead: the credentials of a private or simulated
// EC2 are never sent, as a signature, to Amazon's own STS. For the same reason role_arn and
// rotate-root then ask for the endpoints of sts and iam.
//
// All calls but those of rotate-root only read. So an error that the cloud answers with a code proves
// that nothing was changed, and none of the calls needs to be repeated with care.
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
// no longer accepts are fetched anew by the next call.
//
// # Sources
//
//   - Amazon EC2 API reference: GetPasswordData, DescribeInstances, DescribeKeyPairs, "Error codes
//     for the Amazon EC2 API" (docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html)
//   - Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API"
//     (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)
//   - Amazon EC2 user guide, "List and filter using the CLI and API"
//     (docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html)
//   - AWS STS API reference: AssumeRole, GetCallerIdentity, "Common errors"
//   - IAM API reference: AccessKey, Role; IAM user guide, "IAM and AWS STS quotas"
//   - aws-sdk-go-v2: service/ec2, service/sts, service/iam, config (resolve_credentials.go),
//     internal/endpoints/awsrulesfn/partitions.json, aws/retry (the throttling codes)
package aws
