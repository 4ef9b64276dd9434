package aws

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The SDK's clients are held as the few functions that this package calls, never as values. The linker
// keeps every exported method of a type that reflection may reach, and through the fields of a value in
// an interface, such as a Provider, it may. Vault's SDK asks for methods by name (text/template in the
// paths' help), so a client in a field would bring its code for all of the service's actions: those of
// EC2 alone were more than half of the plugin. An end-to-end test looks for them in the binary.

// appID is shown in the User-Agent of every request, so that an account's owner can tell them apart
// in CloudTrail.
const appID = "cloudpw"

// operation is one action of a service.
type operation[In, Out, Options any] func(context.Context, *In, ...func(*Options)) (*Out, error)

// ec2Operations are the actions of EC2 that the package uses.
type ec2Operations struct {
	describeInstances operation[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput, ec2.Options]
	describeKeyPairs  operation[ec2.DescribeKeyPairsInput, ec2.DescribeKeyPairsOutput, ec2.Options]
	getPasswordData   operation[ec2.GetPasswordDataInput, ec2.GetPasswordDataOutput, ec2.Options]
}

// stsOperations are the actions of STS that the package uses.
type stsOperations struct {
	assumeRole        operation[sts.AssumeRoleInput, sts.AssumeRoleOutput, sts.Options]
	getCallerIdentity operation[sts.GetCallerIdentityInput, sts.GetCallerIdentityOutput, sts.Options]
}

// iamOperations are the actions of IAM that the package uses.
type iamOperations struct {
	createAccessKey operation[iam.CreateAccessKeyInput, iam.CreateAccessKeyOutput, iam.Options]
	deleteAccessKey operation[iam.DeleteAccessKeyInput, iam.DeleteAccessKeyOutput, iam.Options]
	listAccessKeys  operation[iam.ListAccessKeysInput, iam.ListAccessKeysOutput, iam.Options]
}

// ssmOperations are the actions of Systems Manager that the package uses.
type ssmOperations struct {
	describeInstanceInformation operation[ssm.DescribeInstanceInformationInput, ssm.DescribeInstanceInformationOutput, ssm.Options]
	getCommandInvocation        operation[ssm.GetCommandInvocationInput, ssm.GetCommandInvocationOutput, ssm.Options]
	listCommandInvocations      operation[ssm.ListCommandInvocationsInput, ssm.ListCommandInvocationsOutput, ssm.Options]
	sendCommand                 operation[ssm.SendCommandInput, ssm.SendCommandOutput, ssm.Options]
}

// clientConfig is what the clients of all services have in common. Like all clients of this package they are made from
// plain values, never from the SDK's config loader: that one reads the environment and shared files, which belong to
// whoever runs Vault. For the same reason each client is given its endpoint by an option, which comes last.
func clientConfig(cfg cloud.Config, keys sdk.CredentialsProvider) sdk.Config {
	return sdk.Config{
		AppID:       appID,
		Region:      cfg.Text(cloud.Region),
		Credentials: keys,
		HTTPClient:  BodyKeeper{cfg.HTTPClient},
		Retryer:     func() sdk.Retryer { return sdk.NopRetryer{} },
	}
}

func newEC2(cfg cloud.Config, keys sdk.CredentialsProvider) ec2Operations {
	client := ec2.NewFromConfig(clientConfig(cfg, keys), func(o *ec2.Options) {
		o.HTTPSignerV4, o.BaseEndpoint = freshSigner{}, override(cfg, endpointEC2)
	})
	return ec2Operations{client.DescribeInstances, client.DescribeKeyPairs, client.GetPasswordData}
}

func newSTS(cfg cloud.Config, keys sdk.CredentialsProvider) stsOperations {
	client := sts.NewFromConfig(clientConfig(cfg, keys), func(o *sts.Options) {
		o.HTTPSignerV4, o.BaseEndpoint = freshSigner{}, override(cfg, endpointSTS)
	})
	return stsOperations{client.AssumeRole, client.GetCallerIdentity}
}

func newIAM(cfg cloud.Config, keys sdk.CredentialsProvider) iamOperations {
	client := iam.NewFromConfig(clientConfig(cfg, keys), func(o *iam.Options) {
		o.HTTPSignerV4, o.BaseEndpoint = freshSigner{}, override(cfg, endpointIAM)
	})
	return iamOperations{client.CreateAccessKey, client.DeleteAccessKey, client.ListAccessKeys}
}

func newSSM(cfg cloud.Config, keys sdk.CredentialsProvider) ssmOperations {
	client := ssm.NewFromConfig(clientConfig(cfg, keys), func(o *ssm.Options) {
		o.HTTPSignerV4, o.BaseEndpoint = freshSigner{}, override(cfg, endpointSSM)
	})
	return ssmOperations{client.DescribeInstanceInformation, client.GetCommandInvocation, client.ListCommandInvocations, client.SendCommand}
}

// override returns the operator's URL of a service, or nil for the SDK's own rule, which derives
// the host name from the region: ec2.{region}.amazonaws.com, in China ec2.{region}.amazonaws.com.cn.
func override(cfg cloud.Config, service string) *string {
	if u := cfg.Endpoints[service]; u != "" {
		return &u
	}
	return nil
}
