package aws

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// noSuchKey is an access key id that cannot exist, since the letters of real ones are those of base32,
// which has no zero. Deleting it tells whether keys may be deleted, and deletes none.
const noSuchKey = "AKIA0000000000000000"

// noSuchCommand is a command id that cannot exist, and noSuchInstance an instance id.
const (
	noSuchCommand  = "00000000-0000-0000-0000-000000000000"
	noSuchInstance = "i-00000000000000000"
)

// CheckPermissions implements cloud.PermissionChecker. EC2 actions are tried with DryRun; of the IAM
// actions, listing is done, deleting is tried with a key that cannot exist, and creating cannot be
// tried without effect. A command is tried without the lines that it is to run, which its document refuses,
// after IAM has judged. An error means that nothing can be told, as the keys themselves do not work.
func (p *Provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	var all []cloud.Permission
	if p.keys.assumes != "" {
		_, err := p.keys.Retrieve(ctx)
		all = append(all, tried("sts:AssumeRole", "work as the role of role_arn", true, p.keys.assumes, err))
		if permissionMissing(err) {
			return append(all, p.allUntried("the role cannot be assumed")...), nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Verify(ctx); err != nil && !permissionMissing(err) {
		return nil, err
	}
	some, err := p.someInstance(ctx)
	all = append(all, p.checkEC2(ctx, some, err)...)
	all = append(all, p.checkSSM(ctx, some)...)
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
	forKeyAge      = "tell the age of the connection's own access key, and rotate it (rotate-root)"
	forCommand     = "set and check passwords by a command in the server (reset_method=command, check_method=command); " +
		"whoever has it is root on the instances it covers"
	forOutcome = "see what became of a command (reset_method=command, check_method=command)"
	forLost    = "find a command whose answer was lost, instead of sending the same password again (reset_method=command)"
	forAgent   = "see whether an instance's SSM Agent is online (reset_method=command, check_method=command)"
)

// allUntried lists the permissions of which nothing can be said.
func (p *Provider) allUntried(why string) []cloud.Permission {
	return []cloud.Permission{
		untried("ec2:DescribeInstances", forInstances, true, "*", why),
		untried("ec2:GetPasswordData", forPassword, true, "*", why),
		untried("ec2:DescribeKeyPairs", forFingerprint, false, "*", why),
		p.commandPermission(cloud.Permission{Message: why}),
		untried("ssm:GetCommandInvocation", forOutcome, false, "*", why),
		untried("ssm:ListCommandInvocations", forLost, false, "*", why),
		untried("ssm:DescribeInstanceInformation", forAgent, false, "*", why),
	}
}

func (p *Provider) checkEC2(ctx context.Context, some *cloud.Instance, findErr error) []cloud.Permission {
	_, err := send(ctx, p.sender, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances,
		&ec2.DescribeInstancesInput{DryRun: sdk.Bool(true)})
	instances := tried("ec2:DescribeInstances", forInstances, true, "*", err)
	_, err = send(ctx, p.sender, call{endpointEC2, "DescribeKeyPairs", ""}, p.ec2.describeKeyPairs,
		&ec2.DescribeKeyPairsInput{DryRun: sdk.Bool(true)})
	pairs := tried("ec2:DescribeKeyPairs", forFingerprint, false, "*", err)

	var password cloud.Permission
	switch {
	case findErr != nil:
		password = untried("ec2:GetPasswordData", forPassword, true, "*", "it can only be tried on an instance, and finding one failed: "+
			findErr.Error())
	case some == nil:
		password = untried("ec2:GetPasswordData", forPassword, true, "*", "it can only be tried on an instance, and there is none in this region")
	default:
		password = tried("ec2:GetPasswordData", forPassword, true, "*", p.CheckInitialPassword(ctx, some.ID))
		password.Message = strings.TrimSpace("tried on " + some.ID + ". " + password.Message)
	}
	return []cloud.Permission{instances, password, pairs}
}

// checkSSM tries the actions of resets. Without any instance, one that cannot exist is named.
func (p *Provider) checkSSM(ctx context.Context, some *cloud.Instance) []cloud.Permission {
	if unavailable := (command{p}).Limits().Unavailable; unavailable != nil {
		why := unavailable.Error()
		return []cloud.Permission{
			p.commandPermission(cloud.Permission{Message: why}),
			untried("ssm:GetCommandInvocation", forOutcome, false, "*", why),
			untried("ssm:ListCommandInvocations", forLost, false, "*", why),
			untried("ssm:DescribeInstanceInformation", forAgent, false, "*", why),
		}
	}
	id, document := noSuchInstance, shellDocument
	if some != nil {
		id = some.ID
		if some.Platform == cloud.Windows {
			document = powerShellDocument
		}
	}
	// Both documents require the parameter commands, so that this runs nothing, wherever it gets to.
	_, err := send(ctx, p.sender, sendCommand(id), p.ssm.sendCommand,
		&ssm.SendCommandInput{DocumentName: &document, InstanceIds: []string{id}})
	run := p.commandPermission(tried("ssm:SendCommand", forCommand, false, "*", err, "InvalidParameters", codeUnreachable))
	if permissionMissing(err) && strings.Contains(deniedResource(err), id) {
		// A policy for tagged instances denies the others; one without the document names that.
		run.Verdict = cloud.PermissionUnknown
		run.Message = "it is denied on instance " + id + ", which says nothing of the others if the policy is limited to tagged instances: " +
			run.Message
	} else if some != nil {
		run.Message = strings.TrimSpace("tried on " + id + ". " + run.Message)
	}
	_, err = send(ctx, p.sender, call{endpointSSM, "GetCommandInvocation", id}, p.ssm.getCommandInvocation,
		&ssm.GetCommandInvocationInput{CommandId: sdk.String(noSuchCommand), InstanceId: &id})
	outcome := tried("ssm:GetCommandInvocation", forOutcome, false, "*", err, codeNoInvocation, "InvalidCommandId", codeUnreachable)
	_, err = send(ctx, p.sender, call{endpointSSM, "ListCommandInvocations", id}, p.ssm.listCommandInvocations,
		&ssm.ListCommandInvocationsInput{InstanceId: &id, MaxResults: sdk.Int32(1)})
	lost := tried("ssm:ListCommandInvocations", forLost, false, "*", err, "InvalidCommandId", codeUnreachable)
	_, err = send(ctx, p.sender, call{service: endpointSSM, action: "DescribeInstanceInformation"}, p.ssm.describeInstanceInformation,
		&ssm.DescribeInstanceInformationInput{})
	agent := tried("ssm:DescribeInstanceInformation", forAgent, false, "*", err)
	return []cloud.Permission{run, outcome, lost, agent}
}

// deniedResource is what IAM says that a denial is about, or "".
func deniedResource(err error) string {
	_, resource, _ := strings.Cut(err.Error(), "on resource: ")
	resource, _, _ = strings.Cut(resource, " ")
	return resource
}

// commandPermission completes the permission to send commands, whose policy is limited to the documents and
// to instances with a tag.
func (p *Provider) commandPermission(out cloud.Permission) cloud.Permission {
	out.Action, out.Purpose = "ssm:SendCommand", forCommand
	if out.Verdict == "" {
		out.Verdict = cloud.PermissionUnknown
	}
	partition := "arn:" + partitionOf(p.region)
	type statement struct {
		Effect    string
		Action    string
		Resource  any
		Condition any `json:",omitempty"`
	}
	out.Policy = cloud.PolicyText(struct {
		Version   string
		Statement []statement
	}{policyVersion, []statement{
		{"Allow", out.Action, []string{
			partition + ":ssm:" + p.region + "::document/" + shellDocument, partition + ":ssm:" + p.region + "::document/" + powerShellDocument,
		}, nil},
		{"Allow", out.Action, partition + ":ec2:" + p.region + ":*:instance/*",
			map[string]map[string]string{"StringEquals": {"ssm:resourceTag/cloudpw": "true"}}},
	}})
	return out
}

// someInstance returns an instance that lives, a Windows one if there is one on the first page, or nil.
func (p *Provider) someInstance(ctx context.Context) (*cloud.Instance, error) {
	out, err := send(ctx, p.sender, call{endpointEC2, "DescribeInstances", ""}, p.ec2.describeInstances, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: sdk.String("instance-state-name"), Values: livingStates}}, MaxResults: sdk.Int32(pageSize),
	})
	if err != nil {
		return nil, err
	}
	var found *cloud.Instance
	for _, reservation := range out.Reservations {
		for _, of := range reservation.Instances {
			i := instance(of)
			if i.Platform == cloud.Windows {
				return &i, nil
			}
			if found == nil {
				found = &i
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
			purpose := forRotateRoot
			if action == "iam:ListAccessKeys" {
				purpose = forKeyAge
			}
			all = append(all, untried(action, purpose, false, resource, err.Error()))
		}
		return all
	}
	_, err = p.ownKeys(ctx, user)
	list := tried("iam:ListAccessKeys", forKeyAge, false, user, err)
	create := untried("iam:CreateAccessKey", forRotateRoot, false, user, "IAM offers no way to try it without making a key")
	_, err = send(ctx, p.sender, call{endpointIAM, "DeleteAccessKey", noSuchKey}, p.iam.deleteAccessKey,
		&iam.DeleteAccessKeyInput{AccessKeyId: sdk.String(noSuchKey)})
	remove := tried("iam:DeleteAccessKey", forRotateRoot, false, user, err)
	return []cloud.Permission{list, create, remove}
}

// tried makes a permission out of the outcome of a trial. Errors with one of the codes are what a permitted
// trial ends with.
func tried(action, purpose string, required bool, resource string, err error, permitted ...string) cloud.Permission {
	switch code := cloud.CodeOf(err); {
	case code == codeDryRun, slices.Contains(permitted, code):
		err = nil
	case code == "NoSuchEntity":
		// IAM judges the right to change the user before it looks for the user's key.
		err = nil
	}
	return permission(action, purpose, required, resource).Tried(err, permissionMissing)
}

// untried is a permission of which nothing is known.
func untried(action, purpose string, required bool, resource, why string) cloud.Permission {
	return permission(action, purpose, required, resource).Untried(why)
}

func permission(action, purpose string, required bool, resource string) cloud.Permission {
	return cloud.Permission{Action: action, Purpose: purpose, Required: required, Policy: policy(action, resource)}
}

// policyVersion is that of the language of IAM policies.
const policyVersion = "2012-10-17"

// policy is an IAM policy document that allows one action.
func policy(action, resource string) string {
	type statement struct{ Effect, Action, Resource string }
	return cloud.PolicyText(struct {
		Version   string
		Statement []statement
	}{policyVersion, []statement{{"Allow", action, resource}}})
}
