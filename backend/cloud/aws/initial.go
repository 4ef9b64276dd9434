package aws

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// initialPasswordDelay is the wait that the API reference of GetPasswordData advises after a launch.
const initialPasswordDelay = 15 * time.Minute

// InitialPassword implements cloud.InitialPasswordReader by ec2 GetPasswordData. The cloud answers
// an empty string both before the password exists and for instances that will never have one; both
// are of kind NotReady, and the message names the cases.
func (p *Provider) InitialPassword(ctx context.Context, instanceID string) (string, error) {
	if err := validateInstanceID(instanceID); err != nil {
		return "", err
	}
	c := call{endpointEC2, "GetPasswordData", instanceID}
	out, err := send(ctx, p.sender, c, p.ec2.getPasswordData, &ec2.GetPasswordDataInput{InstanceId: &instanceID})
	if err != nil {
		return "", err
	}
	if got := sdk.ToString(out.InstanceId); got != instanceID {
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer is about another instance; check endpoints.ec2", c)
	}
	data := sdk.ToString(out.PasswordData)
	if strings.TrimSpace(data) == "" {
		return "", cloud.Errorf(cloud.NotReady, "%s: EC2 has no initial password of this instance yet; it can take %d minutes after the launch. "+
			"It never comes for an instance without Windows, without a key pair, or from an image that does not generate a password at first boot",
			c, int(initialPasswordDelay.Minutes()))
	}
	return data, nil
}

// CheckInitialPassword implements cloud.InitialPasswordReader by a dry run of GetPasswordData, which
// always answers an error: DryRunOperation where the real call would be allowed.
func (p *Provider) CheckInitialPassword(ctx context.Context, instanceID string) error {
	if err := validateInstanceID(instanceID); err != nil {
		return err
	}
	_, err := send(ctx, p.sender, call{endpointEC2, "GetPasswordData", instanceID}, p.ec2.getPasswordData,
		&ec2.GetPasswordDataInput{InstanceId: &instanceID, DryRun: sdk.Bool(true)})
	if cloud.CodeOf(err) == codeDryRun {
		return nil
	}
	return err
}

// InitialPasswordDelay implements cloud.InitialPasswordReader.
func (*Provider) InitialPasswordDelay() time.Duration { return initialPasswordDelay }

// WhyNoInitialPassword implements cloud.InitialPasswordExplainer. The agent in the guest posts a password when it
// is set up to make one at the first boot, and encrypts it for the key pair of the launch, which must be RSA.
func (*Provider) WhyNoInitialPassword() string {
	return "the image was made without Sysprep or EC2Launch (EC2Config), or these were not told to make a random password at the next " +
		"boot; the instance was launched without a key pair, or with one that is not RSA (an ED25519 key never gets a password); or the " +
		"instance does not run Windows, or never reached its metadata service"
}

// KeyFingerprint implements cloud.InitialPasswordReader by ec2 DescribeKeyPairs. The fingerprint only
// improves error messages, so neither a missing permission nor a deleted key pair is an error.
func (p *Provider) KeyFingerprint(ctx context.Context, keyName string) (string, error) {
	if keyName == "" {
		return "", nil
	}
	out, err := send(ctx, p.sender, call{endpointEC2, "DescribeKeyPairs", ""}, p.ec2.describeKeyPairs,
		&ec2.DescribeKeyPairsInput{KeyNames: []string{keyName}})
	switch cloud.KindOf(err) {
	case "":
	case cloud.Denied, cloud.NotFound:
		return "", nil
	default:
		return "", err
	}
	for _, pair := range out.KeyPairs {
		if sdk.ToString(pair.KeyName) == keyName {
			return text.Name(sdk.ToString(pair.KeyFingerprint), cloud.MaxCode), nil
		}
	}
	return "", nil
}
