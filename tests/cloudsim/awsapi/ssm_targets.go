package awsapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// commandTarget is one condition of a command's Targets.
type commandTarget struct {
	Key    string
	Values []string
}

// Limits of Targets.
const (
	maxTargets      = 5
	maxTargetValues = 50
	// maxTagValues is that of a condition on tags.
	maxTagValues = 5
)

// targetInstances is the one key that is not about tags.
const targetInstances = "InstanceIds"

// targetKey is a pattern for short: the model's other two alternatives are texts that fit its first.
var targetKey = text(1, 163, `^[\p{L}\p{Z}\p{N}_.:/=\-@]*$`)

// checkTargetForm checks what the model and the cloud's own rules say of Targets; the last text is that of
// github.com/hashicorp/terraform-provider-aws/pull/9188. The model's text offers Targets instead of InstanceIds;
// the code with which the cloud refuses both is unconfirmed.
func (in *sendCommandInput) checkTargetForm() *failure {
	switch {
	case len(in.Targets) > maxTargets:
		return invalid(fmt.Sprint(in.Targets), "targets", tooLong(maxTargets))
	case len(in.Targets) > 0 && len(in.InstanceIds) > 0:
		return fail("ValidationException", "InstanceIds and Targets cannot be specified together.")
	}
	for i, t := range in.Targets {
		member := fmt.Sprintf("targets.%d.member.", i+1)
		if f := invalid(t.Key, member+"key", targetKey.broken(t.Key)); f != nil {
			return f
		}
		if len(t.Values) > maxTargetValues {
			return invalid(fmt.Sprint(t.Values), member+"values", tooLong(maxTargetValues))
		}
		byTag := t.Key == "tag-key" || strings.HasPrefix(t.Key, "tag:") && t.Key != "tag:"
		switch {
		case strings.HasPrefix(t.Key, "resource-groups:"):
			return fail("ValidationException", "the simulator has no resource groups")
		case byTag && len(t.Values) > 0 && len(t.Values) <= maxTagValues:
		case t.Key == targetInstances && len(in.Targets) == 1 && len(t.Values) > 0:
			if f := checkInstanceIDs(t.Values); f != nil {
				return f
			}
		default:
			return fail("ValidationException", "Targets must be specified in one of the following formats: "+
				"1) 1 target with \"Key=InstanceIds\" and \"Values=\" a list of up to 50 instance IDs, or "+
				"2) Up to 5 targets, each of which can be either \"Key=tag:<key>,Values=<tag_values>\" or "+
				"\"Key=tag-key,Values=<tag_keys>\", and each with up to 5 unique tag keys/values.")
		}
	}
	return nil
}

// targets are the instances that a command is for.
func (r *request) targets(in *sendCommandInput) ([]string, *failure) {
	if len(in.Targets) == 0 || in.Targets[0].Key == targetInstances {
		named := *in
		if len(in.Targets) > 0 {
			named.InstanceIds = in.Targets[0].Values
		}
		return named.InstanceIds, r.checkInstances(&named)
	}
	// All conditions, and any value of each. Only managed nodes count, and of these whoever has the platform.
	var ids []string
	for _, s := range r.world.Servers(r.owns) {
		managed := s.AgentState() != model.AgentAbsent && s.State != model.StateTerminated
		fits := !s.IsWindows() || in.DocumentName != shellDocument
		if managed && fits && !slices.ContainsFunc(in.Targets, func(t commandTarget) bool { return !t.covers(s) }) {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return nil, fail("ValidationException",
			"the simulator: no managed node has these tags; the cloud accepts such a command and ends it with NoInstancesInTag")
	}
	return ids, nil
}

// covers says whether a condition on tags holds for a server.
func (t commandTarget) covers(s model.Server) bool {
	tags := tagsOf(s)
	if t.Key == "tag-key" {
		return slices.ContainsFunc(t.Values, func(key string) bool { _, ok := tags[key]; return ok })
	}
	value, ok := tags[strings.TrimPrefix(t.Key, "tag:")]
	return ok && slices.Contains(t.Values, value)
}
