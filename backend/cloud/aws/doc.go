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
//
// Where an operator overrides the endpoint of ec2 but not that of sts, the credentials are verified
// by an ec2 DescribeInstances of one short page instead: the credentials of a private or simulated
// EC2 are never sent, as a signature, to Amazon's own STS.
//
// Every call only reads. So an error that the cloud answers with a code proves that nothing was
// changed, and none of the calls needs to be repeated with care.
//
// The SDK's own retries are off, it logs nothing, and it is configured by the connection alone:
// neither environment variables nor shared configuration files nor instance roles supply
// credentials, region or endpoints.
//
// # Sources
//
//   - Amazon EC2 API reference: GetPasswordData, DescribeInstances, DescribeKeyPairs, "Error codes
//     for the Amazon EC2 API" (docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html)
//   - Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API"
//     (docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)
//   - Amazon EC2 user guide, "List and filter using the CLI and API"
//     (docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html)
//   - AWS STS API reference: GetCallerIdentity, "Common errors"
//   - aws-sdk-go-v2: service/ec2, service/sts, aws/retry (the throttling codes)
package aws
