package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	// maxListed is the largest MaxResults of ListCommandInvocations.
	maxListed = 50
	// maxListPages bounds the search for a command: more than 500 commands to one instance within an hour are read no further.
	maxListPages = 10
)

// find returns the id of the command that bears our own id, or "". That there is none to be found proves nothing: the
// listing is eventually consistent, the search has bounds, its permission is an optional one, and the instance may be gone.
//
// The comment is compared as a whole. Our ids are random, and used once; a comment that two commands bear was copied by
// somebody, so that neither is taken for ours.
//
// ListCommandInvocations is the listing that shows comments but no scripts. It is asked for what was invoked after a
// moment that is earlier than the request by more than the two clocks may differ: else the cloud would have refused its
// signature.
func (c command) find(ctx context.Context, ref cloud.ResetRef) (string, error) {
	asked := call{endpointSSM, "ListCommandInvocations", ref.InstanceID}
	in := &ssm.ListCommandInvocationsInput{InstanceId: &ref.InstanceID, MaxResults: sdk.Int32(maxListed)}
	if !ref.Sent.IsZero() {
		after := ref.Sent.Add(-requestLifetime).UTC().Format(time.RFC3339)
		in.Filters = []types.CommandFilter{{Key: types.CommandFilterKeyInvokedAfter, Value: &after}}
	}
	ours, found := comment(guest.SetPassword, ref.Name), ""
	for range maxListPages {
		out, err := send(ctx, c.sender, asked, c.ssm.listCommandInvocations, in)
		switch {
		case permissionMissing(err), cloud.CodeOf(err) == codeUnreachable:
			// The outcome is as unknown as the lost answer left it. check/ names the permission.
			return "", nil
		case err != nil:
			return "", err
		}
		for _, i := range out.CommandInvocations {
			id := sdk.ToString(i.CommandId)
			if sdk.ToString(i.InstanceId) != ref.InstanceID || sdk.ToString(i.Comment) != ours || !commandForm.MatchString(id) {
				continue
			}
			if found != "" && found != id {
				return "", nil
			}
			found = id
		}
		if sdk.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	return found, nil
}
