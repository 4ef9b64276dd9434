package tencentcloud

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const (
	// probeInstance is an id that no instance is known to have; before it is used, the cloud is asked
	// whether one has it after all.
	probeInstance = "ins-00000000"
	// probeKey has the form of a SecretId. Those are random, so none is AKID and zeros, let alone one
	// of the very user who signs.
	probeKey = "AKID00000000000000000000000000000000"
)

// What each permission is for.
const (
	forInstances  = "find instances, read their state and follow resets"
	forReset      = "set passwords"
	forIdentity   = "verify the connection (else an instance is described instead), and rotate-root"
	forRotateRoot = "rotate the connection's own access key (rotate-root)"
)

// CheckPermissions implements cloud.PermissionChecker. The cloud knows no dry run of these actions:
// what only reads is done, and what changes something is tried on things that do not exist. An error
// means that nothing can be told, as the keys themselves do not work.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	var all []cloud.Permission
	if p.source.assumes != "" {
		_, err := p.source.get(ctx)
		all = append(all, judged(assumeRole, "work as the role of role_arn", true, err))
		if lacksPermission(err) {
			const why = "the role cannot be assumed"
			return append(all, untold(describeInstances, forInstances, true, why), untold(resetInstancesPassword, forReset, true, why),
				untold(getCallerIdentity, forIdentity, false, why)), nil
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Verify(ctx); err != nil && !lacksPermission(err) {
		return nil, err
	}
	request := cvm.NewDescribeInstancesRequest()
	request.Limit = common.Int64Ptr(1)
	_, err := p.describeInstances(ctx, request)
	all = append(all, judged(describeInstances, forInstances, true, err), p.tryReset(ctx), p.tryIdentity(ctx))
	if p.source.static != "" {
		all = append(all, p.tryCAM(ctx)...)
	}
	return all, nil
}

// tryReset tries a reset of an instance that does not exist.
//
// Whether the cloud looks at the permission or at the id first is not documented. A refusal for want
// of permission is one in any case, but a policy that allows single instances only is answered so,
// too. An answer about the id is taken for permission, since CAM's check comes before an action's own.
func (p *provider) tryReset(ctx context.Context) cloud.Permission {
	found, err := p.describe(ctx, []string{probeInstance})
	switch {
	case err != nil:
		return untold(resetInstancesPassword, forReset, true, "it is only tried where the instance "+probeInstance+" surely does not exist, and looking for it failed: "+err.Error())
	case len(found) > 0:
		return untold(resetInstancesPassword, forReset, true, "it would be tried on the id "+probeInstance+", but there is such an instance")
	}
	secret, err := password.Generate(p.PasswordRules(cloud.Instance{}), "root", 0)
	if err != nil {
		return untold(resetInstancesPassword, forReset, true, "no password could be made to try it with: "+err.Error())
	}
	if err := p.gate.Wait(ctx, resetInstancesPassword.name); err != nil {
		return untold(resetInstancesPassword, forReset, true, err.Error())
	}
	_, err = p.StartReset(ctx, cloud.Reset{InstanceIDs: []string{probeInstance}, Username: "root", Password: secret})
	failure := asError(err)
	if failure != nil && failure.Code == cvm.INVALIDINSTANCEID_NOTFOUND {
		out := judged(resetInstancesPassword, forReset, true, nil)
		out.Message = "concluded from the cloud's answer about an instance that does not exist"
		return out
	}
	out := judged(resetInstancesPassword, forReset, true, err)
	if out.Verdict == cloud.PermissionDenied {
		out.Message += "; a policy that allows named instances only is answered like this, too"
	}
	return out
}

func (p *provider) tryIdentity(ctx context.Context) cloud.Permission {
	if p.noSTS() {
		return untold(getCallerIdentity, forIdentity, false, "endpoints.cvm is set and endpoints.sts is not, so STS is not asked")
	}
	_, err := p.identity(ctx)
	return judged(getCallerIdentity, forIdentity, false, err)
}

func (p *provider) tryCAM(ctx context.Context) []cloud.Permission {
	if _, err := p.ownUser(ctx); err != nil {
		var all []cloud.Permission
		for _, a := range []action{listAccessKeys, createAccessKey, updateAccessKey, deleteAccessKey} {
			all = append(all, untold(a, forRotateRoot, false, err.Error()))
		}
		return all
	}
	_, err := p.ownKeys(ctx)
	list := judged(listAccessKeys, forRotateRoot, false, err)
	create := untold(createAccessKey, forRotateRoot, false, "CAM offers no way to try it without making a key")
	return []cloud.Permission{
		list, create,
		judgedByKey(updateAccessKey, p.switchOff(ctx, probeKey)),
		judgedByKey(deleteAccessKey, p.deleteKey(ctx, probeKey)),
	}
}

// judgedByKey judges the answer about a key that does not exist.
func judgedByKey(a action, err error) cloud.Permission {
	if !keyIsGone(err) {
		return judged(a, forRotateRoot, false, err)
	}
	out := judged(a, forRotateRoot, false, nil)
	out.Message = "concluded from the cloud's answer about a key that does not exist"
	return out
}

// judged makes a permission out of the outcome of a trial.
func judged(a action, purpose string, required bool, err error) cloud.Permission {
	out := untold(a, purpose, required, "")
	switch {
	case err == nil:
		out.Verdict = cloud.PermissionGranted
	case lacksPermission(err):
		out.Verdict, out.Message = cloud.PermissionDenied, err.Error()
	default:
		out.Message = "it could not be tried: " + err.Error()
	}
	return out
}

// untold is a permission of which nothing is known.
func untold(a action, purpose string, required bool, why string) cloud.Permission {
	name := a.service + ":" + a.name
	return cloud.Permission{Action: name, Purpose: purpose, Required: required, Verdict: cloud.PermissionUnknown, Message: why, Policy: policy(name)}
}

// policy is a CAM policy that allows one action.
func policy(name string) string {
	type statement struct {
		Effect   string   `json:"effect"`
		Action   []string `json:"action"`
		Resource []string `json:"resource"`
	}
	text, err := json.Marshal(struct {
		Version   string      `json:"version"`
		Statement []statement `json:"statement"`
	}{"2.0", []statement{{"allow", []string{name}, []string{"*"}}}})
	if err != nil { // strings always encode
		return fmt.Sprintf("allow %s", name)
	}
	return string(text)
}
