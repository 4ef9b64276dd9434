package tencentcloud

import (
	"context"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const (
	// probeInstance is an id that no instance is known to have; before it is used, the cloud is asked
	// whether one has it after all.
	probeInstance = "ins-00000000"
	// probeInvocation is one that no command is known to have; it is only read.
	probeInvocation = "inv-00000000"
	// probeKey has the form of a SecretId. Those are random, so none is AKID and zeros, let alone one
	// of the very user who signs.
	probeKey = "AKID00000000000000000000000000000000"
)

// What each permission is for.
const (
	forInstances  = "find instances, read their state and follow resets"
	forReset      = "set passwords"
	forCommand    = "set and check passwords by a command in the guest (reset_method=command, check_method=command)"
	forIdentity   = "verify the connection (else an instance is described instead), and rotate-root"
	forKeyAge     = "tell the age of the connection's own access key, and rotate it (rotate-root)"
	forRotateRoot = "rotate the connection's own access key (rotate-root)"
)

// CheckPermissions implements cloud.PermissionChecker. The cloud knows no dry run of these actions:
// what only reads is done, and what changes something is tried on things that do not exist. An error
// means that nothing can be told, as the keys themselves do not work.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	var all []cloud.Permission
	if p.source.assumes != "" {
		_, err := p.source.get(ctx)
		all = append(all, tried(assumeRole, "work as the role of role_arn", true, err))
		if permissionMissing(err) {
			const why = "the role cannot be assumed"
			return append(all, untried(describeInstances, forInstances, true, why), untried(resetInstancesPassword, forReset, true, why),
				untried(runCommand, forCommand, false, why), untried(describeInvocationTasks, forCommand, false, why),
				untried(getCallerIdentity, forIdentity, false, why)), nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Verify(ctx); err != nil && !permissionMissing(err) {
		return nil, err
	}
	request := cvm.NewDescribeInstancesRequest()
	request.Limit = common.Int64Ptr(1)
	_, err := p.describeInstances(ctx, request)
	all = append(all, tried(describeInstances, forInstances, true, err))
	all = append(all, p.tryResets(ctx)...)
	all = append(all, p.tryIdentity(ctx))
	if p.source.static != "" {
		all = append(all, p.tryCAM(ctx)...)
	}
	return all, nil
}

// tryResets tries both reset methods on an instance that does not exist.
//
// Whether the cloud looks at the permission or at the id first is not documented. A refusal for want
// of permission is one in any case, but a policy that allows single instances only is answered so,
// too. An answer about the id is taken for permission, since CAM's check comes before an action's own.
func (p *provider) tryResets(ctx context.Context) []cloud.Permission {
	found, err := p.describe(ctx, []string{probeInstance})
	why := ""
	switch {
	case err != nil:
		why = "it is only tried where the instance " + probeInstance + " certainly does not exist, and looking for it failed: " + err.Error()
	case len(found) > 0:
		why = "it would be tried on the id " + probeInstance + ", but there is such an instance"
	}
	return append([]cloud.Permission{p.tryReset(ctx, why)}, p.tryCommand(ctx, why)...)
}

// tryReset tries ResetInstancesPassword, unless there is a reason why not.
func (p *provider) tryReset(ctx context.Context, why string) cloud.Permission {
	if why != "" {
		return untried(resetInstancesPassword, forReset, true, why)
	}
	secret, err := password.Generate(p.PasswordRules(cloud.Instance{}), "root", 0)
	if err != nil {
		return untried(resetInstancesPassword, forReset, true, "no password could be made to try it with: "+err.Error())
	}
	if err := p.limiter.Wait(ctx, resetInstancesPassword.name); err != nil {
		return untried(resetInstancesPassword, forReset, true, err.Error())
	}
	_, err = p.StartReset(ctx, cloud.Reset{InstanceIDs: []string{probeInstance}, Username: "root", Password: secret})
	return triedOnNoInstance(resetInstancesPassword, forReset, true, err)
}

// tryCommand tries what commands need. The command that is tried does nothing.
func (p *provider) tryCommand(ctx context.Context, why string) []cloud.Permission {
	if p.mayNotAsk(endpointTAT) {
		const why = "endpoints.cvm is set and endpoints.tat is not, so TAT is not asked"
		return []cloud.Permission{untried(runCommand, forCommand, false, why), untried(describeInvocationTasks, forCommand, false, why)}
	}
	_, err := command{p}.tasks(ctx, []string{probeInvocation})
	read := tried(describeInvocationTasks, forCommand, false, err)
	if why != "" {
		return []cloud.Permission{untried(runCommand, forCommand, false, why), read}
	}
	_, err = command{p}.Send(ctx, guest.Command{InstanceIDs: []string{probeInstance},
		Script: guest.Script{Interpreter: guest.Shell, Text: "exit 0\n"}, Purpose: guest.TryPermission})
	return []cloud.Permission{triedOnNoInstance(runCommand, forCommand, false, err), read}
}

// triedOnNoInstance judges the answer about an instance that does not exist.
func triedOnNoInstance(a action, purpose string, required bool, err error) cloud.Permission {
	if code := cloud.CodeOf(err); code == cvm.INVALIDINSTANCEID_NOTFOUND || code == tat.RESOURCENOTFOUND_INSTANCENOTFOUND {
		out := tried(a, purpose, required, nil)
		out.Message = "concluded from the cloud's answer about an instance that does not exist"
		return out
	}
	out := tried(a, purpose, required, err)
	if out.Verdict == cloud.PermissionDenied {
		out.Message += "; a policy that allows named instances only is answered like this, too"
	}
	return out
}

func (p *provider) tryIdentity(ctx context.Context) cloud.Permission {
	if p.mayNotAsk(endpointSTS) {
		return untried(getCallerIdentity, forIdentity, false, "endpoints.cvm is set and endpoints.sts is not, so STS is not asked")
	}
	_, err := p.identity(ctx)
	return tried(getCallerIdentity, forIdentity, false, err)
}

func (p *provider) tryCAM(ctx context.Context) []cloud.Permission {
	if _, err := p.ownUser(ctx); err != nil {
		var all []cloud.Permission
		for _, a := range []action{listAccessKeys, createAccessKey, updateAccessKey, deleteAccessKey} {
			purpose := forRotateRoot
			if a == listAccessKeys {
				purpose = forKeyAge
			}
			all = append(all, untried(a, purpose, false, err.Error()))
		}
		return all
	}
	_, err := p.ownKeys(ctx)
	list := tried(listAccessKeys, forKeyAge, false, err)
	create := untried(createAccessKey, forRotateRoot, false, "CAM offers no way to try it without making a key")
	return []cloud.Permission{
		list, create,
		triedOnNoKey(updateAccessKey, p.switchOff(ctx, probeKey)),
		triedOnNoKey(deleteAccessKey, p.deleteKey(ctx, probeKey)),
	}
}

// triedOnNoKey judges the answer about a key that does not exist.
func triedOnNoKey(a action, err error) cloud.Permission {
	if !keyIsGone(err) {
		return tried(a, forRotateRoot, false, err)
	}
	out := tried(a, forRotateRoot, false, nil)
	out.Message = "concluded from the cloud's answer about a key that does not exist"
	return out
}

// tried makes a permission out of the outcome of a trial.
func tried(a action, purpose string, required bool, err error) cloud.Permission {
	return permission(a, purpose, required).Tried(err, permissionMissing)
}

// untried is a permission of which nothing is known.
func untried(a action, purpose string, required bool, why string) cloud.Permission {
	return permission(a, purpose, required).Untried(why)
}

func permission(a action, purpose string, required bool) cloud.Permission {
	name := a.service + ":" + a.name
	return cloud.Permission{Action: name, Purpose: purpose, Required: required, Policy: policy(name)}
}

// policy is a CAM policy that allows one action.
func policy(name string) string {
	type statement struct {
		Effect   string   `json:"effect"`
		Action   []string `json:"action"`
		Resource []string `json:"resource"`
	}
	return cloud.PolicyText(struct {
		Version   string      `json:"version"`
		Statement []statement `json:"statement"`
	}{"2.0", []statement{{"allow", []string{name}, []string{"*"}}}})
}
