package alibabacloud

import (
	"context"
	"net/url"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	// probeInstance is an id that no instance is known to have. A command is only tried on it as a dry run.
	probeInstance = "i-00000000000000000000"
	// probeInvoke is one that no command is known to have; it is only read.
	probeInvoke = "t-000000000000"
	// probeKey has the form of an access key id. Those are random, so none is LTAI and zeros, let alone one of the very user
	// who signs.
	probeKey = "LTAI00000000000000000000"
)

// What each permission is for.
const (
	forInstances  = "find instances, and read their state"
	forReset      = "set and check passwords by a command in the guest"
	forResults    = "see what became of a command"
	forFinding    = "find a command whose answer was lost, instead of sending the same password again"
	forAgent      = "see whether an instance's agent is online, before a command is sent to it"
	forIdentity   = "verify the connection (else ECS is asked instead), and rotate-root"
	forKeyAge     = "tell the age of the connection's own access key, and rotate it (rotate-root)"
	forRotateRoot = "rotate the connection's own access key (rotate-root)"
)

// CheckPermissions implements cloud.PermissionChecker. ECS has dry runs of what changes something, and of DescribeInstances;
// RAM has none, so there it is tried on keys that do not exist. An error means that nothing can be told, as the keys
// themselves do not work.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	var all []cloud.Permission
	if p.source.assumes != "" {
		_, err := p.source.get(ctx)
		all = append(all, tried(assumeRole, "work as the role of role_arn", true, err))
		if permissionMissing(err) {
			const why = "the role cannot be assumed"
			return append(all, untried(describeInstances, forInstances, true, why), untried(runCommand, forReset, true, why),
				untried(describeInvocationResults, forResults, true, why), untried(describeInvocations, forFinding, false, why),
				untried(describeAssistant, forAgent, false, why),
				untried(getCallerIdentity, forIdentity, false, why)), nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Verify(ctx); err != nil && !permissionMissing(err) {
		return nil, err
	}
	all = append(all, tried(describeInstances, forInstances, true, p.mayDescribe(ctx)), p.tryCommand(ctx), p.tryResults(ctx),
		p.tryFinding(ctx),
		p.tryAgents(ctx), p.tryIdentity(ctx))
	if p.source.static != "" {
		all = append(all, p.tryRAM(ctx)...)
	}
	return all, nil
}

// tryCommand tries RunCommand as a dry run: on an instance that runs, if there is one among the first, else on one that does
// not exist. The dry run checks permission, instance and agent, and runs nothing.
func (p *provider) tryCommand(ctx context.Context) cloud.Permission {
	target := cloud.Instance{ID: probeInstance, Platform: cloud.Linux}
	var first page
	err := p.ecs(ctx, describeInstances, url.Values{"MaxResults": {strconv.Itoa(pageSize)}, "Status": {"Running"}}, &first)
	if err != nil && !permissionMissing(err) {
		return untried(runCommand, forReset, true, "no instance could be found to try it on: "+err.Error())
	}
	for n := range first.Instances.Instance {
		i := &first.Instances.Instance[n]
		if one := i.shown(); one.Platform != "" && unready(one, i.locks()) == nil && validateInstanceID(one.ID) == nil {
			target = one
			break
		}
	}
	script := guest.Script{Interpreter: guest.Shell, Text: "exit 0\n"}
	if target.Platform == cloud.Windows {
		script.Interpreter = guest.PowerShell
	}
	parameters, err := command{p}.parameters(guest.Command{InstanceIDs: []string{target.ID}, Script: script, Purpose: guest.TryPermission})
	if err == nil {
		err = p.ask(ctx, runCommand, parameters, &struct{}{})
	}
	return triedDry(err)
}

// triedDry judges the answer to a dry run of RunCommand. What the cloud says of an instance, its state or its agent comes after
// the permission.
func triedDry(err error) cloud.Permission {
	switch {
	case err == nil || cloud.CodeOf(err) == codeDryRun:
		out := tried(runCommand, forReset, true, nil)
		out.Message = "tried as a dry run"
		return out
	case cloud.KindOf(err) == cloud.NotFound:
		out := tried(runCommand, forReset, true, nil)
		out.Message = "concluded from the cloud's answer about an instance that does not exist"
		return out
	}
	out := tried(runCommand, forReset, true, err)
	if out.Verdict == cloud.PermissionDenied {
		out.Message += "; a policy that allows named instances only may be answered like this, too"
	}
	return out
}

// listed is a permission to list something that was tried. That an empty list may stand for a missing permission the cloud's
// texts say of DescribeInstances alone, which is therefore tried as a dry run.
func listed(a action, purpose string, required bool, found int, err error) cloud.Permission {
	out := tried(a, purpose, required, err)
	if err == nil && found == 0 {
		out.Message = "concluded from an empty list without an error; look again when a command has been sent"
	}
	return out
}

// tryResults asks about a command that does not exist.
func (p *provider) tryResults(ctx context.Context) cloud.Permission {
	err := p.ecs(ctx, describeInvocationResults, url.Values{"InvokeId": {probeInvoke}, "MaxResults": {"1"}}, &struct{}{})
	if cloud.KindOf(err) == cloud.NotFound {
		out := tried(describeInvocationResults, forResults, true, nil)
		out.Message = "concluded from the cloud's answer about a command that does not exist"
		return out
	}
	return listed(describeInvocationResults, forResults, true, 0, err)
}

// tryFinding lists a command.
func (p *provider) tryFinding(ctx context.Context) cloud.Permission {
	list, _, err := command{p}.invocations(ctx, url.Values{"MaxResults": {"1"}})
	return listed(describeInvocations, forFinding, false, len(list), err)
}

// tryAgents lists an agent.
func (p *provider) tryAgents(ctx context.Context) cloud.Permission {
	list, err := command{p}.agents(ctx, url.Values{"MaxResults": {"1"}})
	return listed(describeAssistant, forAgent, false, len(list), err)
}

func (p *provider) tryIdentity(ctx context.Context) cloud.Permission {
	if p.mayNotAsk(endpointSTS) {
		return untried(getCallerIdentity, forIdentity, false, "endpoints.ecs is set and endpoints.sts is not, so STS is not asked")
	}
	_, err := p.identity(ctx)
	return tried(getCallerIdentity, forIdentity, false, err)
}

func (p *provider) tryRAM(ctx context.Context) []cloud.Permission {
	user, err := p.ownUser(ctx)
	if err != nil {
		return []cloud.Permission{
			untried(listAccessKeys, forKeyAge, false, err.Error()), untried(createAccessKey, forRotateRoot, false, err.Error()),
			untried(updateAccessKey, forRotateRoot, false, err.Error()), untried(deleteAccessKey, forRotateRoot, false, err.Error()),
		}
	}
	_, err = p.ownKeys(ctx, user)
	return []cloud.Permission{
		tried(listAccessKeys, forKeyAge, false, err),
		untried(createAccessKey, forRotateRoot, false, "RAM offers no way to try it without making a key"),
		triedOnNoKey(updateAccessKey, p.switchOff(ctx, user, probeKey)),
		triedOnNoKey(deleteAccessKey, p.deleteKey(ctx, user, probeKey)),
	}
}

// triedOnNoKey judges the answer about a key that does not exist.
func triedOnNoKey(a action, err error) cloud.Permission {
	if cloud.CodeOf(err) != codeNoKey {
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

// policy is a RAM policy that allows one action.
func policy(name string) string {
	type statement struct {
		Effect, Action, Resource string
	}
	return cloud.PolicyText(struct {
		Version   string
		Statement []statement
	}{"1", []statement{{"Allow", name, "*"}}})
}
