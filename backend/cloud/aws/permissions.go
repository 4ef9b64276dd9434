package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// noSuchKey is an access key id that cannot exist, since the letters of real ones are those of base32,
// which has no zero. Deleting it tells whether keys may be deleted, and deletes none.
const noSuchKey = "AKIA0000000000000000"

// CheckPermissions implements cloud.PermissionChecker. EC2 actions are tried with DryRun; of the IAM
// actions, listing is done, deleting is tried with a key that cannot exist, and creating cannot be
// tried without effect. An error means that nothing can be told, as the keys themselves do not work.
func (p *Provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	var all []cloud.Permission
	if p.keys.assumes != "" {
		_, err := p.keys.Retrieve(ctx)
		all = append(all, p.judge("sts:AssumeRole", "work as the role of role_arn", true, p.keys.assumes, err))
		if lacksPermission(err) {
			return append(all, p.untold("the role cannot be assumed")...), nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Verify(ctx); err != nil && !lacksPermission(err) {
		return nil, err
	}
	all = append(all, p.checkEC2(ctx)...)
	if p.keys.static != "" {
		all = append(all, p.checkIAM(ctx)...)
	}
	return all, nil
}

// What each permission is for.
const (
	forInstances   = "find instances and read their state"
	forPassword    = "read initial passwords"
	forFingerprint = "name the fingerprint of the right key when another one was given"
	forRotateRoot  = "rotate the connection's own access key (rotate-root)"
)

// untold lists the permissions of which nothing can be said.
func (p *Provider) untold(why string) []cloud.Permission {
	return []cloud.Permission{
		p.unknown("ec2:DescribeInstances", forInstances, true, "*", why),
		p.unknown("ec2:GetPasswordData", forPassword, true, "*", why),
		p.unknown("ec2:DescribeKeyPairs", forFingerprint, false, "*", why),
	}
}

func (p *Provider) checkEC2(ctx context.Context) []cloud.Permission {
	_, err := send(ctx, p, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances, &ec2.DescribeInstancesInput{DryRun: sdk.Bool(true)})
	instances := p.judge("ec2:DescribeInstances", forInstances, true, "*", err)
	_, err = send(ctx, p, call{endpointEC2, "DescribeKeyPairs", ""}, p.ec2.describeKeyPairs, &ec2.DescribeKeyPairsInput{DryRun: sdk.Bool(true)})
	pairs := p.judge("ec2:DescribeKeyPairs", forFingerprint, false, "*", err)

	var password cloud.Permission
	switch id, err := p.someInstance(ctx); {
	case err != nil:
		password = p.unknown("ec2:GetPasswordData", forPassword, true, "*", "it can only be tried on an instance, and finding one failed: "+err.Error())
	case id == "":
		password = p.unknown("ec2:GetPasswordData", forPassword, true, "*", "it can only be tried on an instance, and there is none in this region")
	default:
		password = p.judge("ec2:GetPasswordData", forPassword, true, "*", p.CheckInitialPassword(ctx, id))
		password.Message = strings.TrimSpace("tried on " + id + ". " + password.Message)
	}
	return []cloud.Permission{instances, password, pairs}
}

// someInstance returns an instance that lives, a Windows one if there is one on the first page, or "".
func (p *Provider) someInstance(ctx context.Context) (string, error) {
	out, err := send(ctx, p, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: sdk.String("instance-state-name"), Values: livingStates}}, MaxResults: sdk.Int32(pageSize),
	})
	if err != nil {
		return "", err
	}
	found := ""
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			id := sdk.ToString(i.InstanceId)
			if platform(i) == cloud.Windows {
				return id, nil
			}
			if found == "" {
				found = id
			}
		}
	}
	return found, nil
}

func (p *Provider) checkIAM(ctx context.Context) []cloud.Permission {
	user, err := p.ownUser(ctx)
	if err != nil {
		resource := "arn:" + partitionOf(p.region) + ":iam::*:user/${aws:username}"
		var all []cloud.Permission
		for _, action := range []string{"iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey"} {
			all = append(all, p.unknown(action, forRotateRoot, false, resource, err.Error()))
		}
		return all
	}
	_, err = p.ownKeys(ctx, user)
	list := p.judge("iam:ListAccessKeys", forRotateRoot, false, user, err)
	create := p.unknown("iam:CreateAccessKey", forRotateRoot, false, user, "IAM offers no way to try it without making a key")
	_, err = send(ctx, p, call{endpointIAM, "DeleteAccessKey", noSuchKey}, p.iam.deleteAccessKey, &iam.DeleteAccessKeyInput{AccessKeyId: sdk.String(noSuchKey)})
	remove := p.judge("iam:DeleteAccessKey", forRotateRoot, false, user, err)
	return []cloud.Permission{list, create, remove}
}

// judge makes a permission out of the outcome of a trial.
func (p *Provider) judge(action, purpose string, required bool, resource string, err error) cloud.Permission {
	out := cloud.Permission{Action: action, Purpose: purpose, Required: required, Verdict: cloud.PermissionUnknown, Policy: policy(action, resource)}
	failure := asError(err)
	switch {
	case err == nil, failure != nil && (failure.Code == codeDryRun || failure.Code == "NoSuchEntity"):
		// IAM judges the right to change the user before it looks for the user's key.
		out.Verdict = cloud.PermissionGranted
	case lacksPermission(err):
		out.Verdict, out.Message = cloud.PermissionDenied, err.Error()
	default:
		out.Message = "it could not be tried: " + err.Error()
	}
	return out
}

func (p *Provider) unknown(action, purpose string, required bool, resource, why string) cloud.Permission {
	return cloud.Permission{Action: action, Purpose: purpose, Required: required, Verdict: cloud.PermissionUnknown, Message: why, Policy: policy(action, resource)}
}

// policy is an IAM policy document that allows one action.
func policy(action, resource string) string {
	type statement struct{ Effect, Action, Resource string }
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", action, resource}}})
	if err != nil { // strings always encode
		return fmt.Sprintf("allow %s on %s", action, resource)
	}
	return string(text)
}
