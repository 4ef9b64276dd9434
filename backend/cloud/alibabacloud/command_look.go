package alibabacloud

import (
	"context"
	"net/url"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	// resultsPage is the greatest MaxResults of DescribeInvocations and DescribeInvocationResults.
	resultsPage = 50
	// maxNamePages bounds the search for a command by its name, which normally fits one page.
	maxNamePages = 20
)

// Look implements guest.Service. The cloud keeps a record of each command, for two to four weeks.
func (c command) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	runs := make(map[cloud.ResetRef]guest.Run, len(refs))
	for _, ref := range refs {
		id := ref.RequestID
		if id == "" {
			found, err := c.byName(ctx, ref)
			if err != nil {
				return nil, err
			}
			id = found
		}
		if id == "" {
			continue
		}
		found, err := c.result(ctx, id, ref.InstanceID)
		if err != nil {
			return nil, err
		}
		if found != nil {
			runs[ref] = found.run()
		} else if ref.RequestID == "" {
			runs[ref] = guest.Run{ID: id, State: guest.Running}
		}
	}
	return runs, nil
}

// result asks for a command on an instance; nil if the cloud does not show it (yet).
func (c command) result(ctx context.Context, id, instance string) (*result, error) {
	var answer struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []result }
		}
	}
	err := c.ecs(ctx, describeInvocationResults, url.Values{
		"InvokeId": {id}, "InstanceId": {instance}, "ContentEncoding": {"Base64"}, "MaxResults": {strconv.Itoa(resultsPage)},
	}, &answer)
	if cloud.KindOf(err) == cloud.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, r := range answer.Invocation.InvocationResults.InvocationResult {
		if r.InvokeID == id && r.InstanceID == instance {
			return &r, nil
		}
	}
	return nil, nil
}

// invocation is a command, as DescribeInvocations shows it.
type invocation struct {
	InvokeID        string `json:"InvokeId"`
	CommandName     string
	InvokeInstances struct {
		InvokeInstance []struct {
			InstanceID string `json:"InstanceId"`
		}
	}
}

// byName returns the id of the command with a reference's name, or "".
//
// Names are random, and sent with one command. The answer repeats a command's name and its instances, so what is found is
// certain; a name that two commands bear was copied by somebody, so that neither is taken for ours. The filter is only to
// keep the answer short: it has no effect next to InstanceId (ecs-20140526 v7.7.0, text on CommandName), which is therefore
// left out. That nothing is found proves nothing: the permission is an optional one, and whether the cloud repeats the names
// of commands that it does not keep is not confirmed.
func (c command) byName(ctx context.Context, ref cloud.ResetRef) (string, error) {
	if ref.Name == "" {
		return "", nil
	}
	parameters, found := url.Values{"CommandName": {ref.Name}, "MaxResults": {strconv.Itoa(resultsPage)}}, ""
	for range maxNamePages {
		list, next, err := c.invocations(ctx, parameters)
		if permissionMissing(err) {
			return "", nil // check/ names the permission
		}
		if err != nil {
			return "", err
		}
		for _, i := range list {
			if i.CommandName != ref.Name || !invokeForm.MatchString(i.InvokeID) || !i.on(ref.InstanceID) {
				continue
			}
			if found != "" && found != i.InvokeID {
				return "", nil
			}
			found = i.InvokeID
		}
		if next == "" || next == parameters.Get("NextToken") {
			break
		}
		parameters.Set("NextToken", next)
	}
	return found, nil
}

// on reports whether the command is for an instance.
func (i invocation) on(instance string) bool {
	for _, one := range i.InvokeInstances.InvokeInstance {
		if one.InstanceID == instance {
			return true
		}
	}
	return false
}

// invocations asks for one page of commands.
func (c command) invocations(ctx context.Context, parameters url.Values) (list []invocation, next string, err error) {
	var answer struct {
		Invocations struct{ Invocation []invocation }
		NextToken   string
	}
	err = c.ecs(ctx, describeInvocations, parameters, &answer)
	return answer.Invocations.Invocation, answer.NextToken, err
}
