package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func (b *backend) pathStatus() *framework.Path {
	return &framework.Path{
		Pattern:      "status$",
		DisplayAttrs: request.DisplayAttrs("status"),
		Fields: map[string]*framework.FieldSchema{
			"detailed": {Type: framework.TypeBool, Query: true,
				Description: "Also answer with details, which has everything for programs. Default: false."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readStatus,
				Summary:     "Read the state of the mount.",
				Description: "Returns what the active node knows of accounts, rotations and connections. Calls no cloud, and contains no secret.",
				Responses:   request.DataResponses("The state.", statusResponse()),
				// Only the active node has a scheduler.
			}),
		},
		HelpSynopsis:    statusSynopsis,
		HelpDescription: statusDescription,
	}
}

func statusResponse() map[string]*framework.FieldSchema {
	field := func(t framework.FieldType, description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: t, Required: true, Description: description}
	}
	optional := func(t framework.FieldType, description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: t, Description: description}
	}
	return map[string]*framework.FieldSchema{
		"running": field(framework.TypeBool, "Whether this node rotates passwords. A node that may not write does not."),
		"loading": field(framework.TypeBool,
			"Whether the schedule is still being loaded from storage after a start. Until then the numbers are incomplete."),
		"stale": optional(framework.TypeBool,
			"True while Vault's storage does not answer: connections are then those that were used since the start, and conflicts are omitted."),
		"accounts":           field(framework.TypeMap, "Number of accounts by state, as in accounts/."),
		"leases":             field(framework.TypeInt, "Number of live leases."),
		"due":                field(framework.TypeInt, "Number of accounts whose rotation is due."),
		"oldest_due":         request.TimeField(false, "Since when the longest waiting of them has been due"),
		"oldest_due_seconds": optional(framework.TypeInt, "How long ago that was, in seconds."),
		"oldest_due_account": optional(framework.TypeString, "Which account that is."),
		"oldest_due_role": optional(framework.TypeString,
			"Instead of oldest_due_account: the role with shared_password that has waited longest."),
		"oldest_due_waiting_for": optional(framework.TypeString, "What its rotation waits for, as waiting_for in accounts/."),
		"oldest_due_next_try":    request.TimeField(false, "When it continues, at the earliest"),
		"late_seconds": field(framework.TypeInt, "The longest time, in seconds, for which a due rotation has been waiting although "+
			"its role allows it. Times when min_reset_interval or rotation_window delay an account do not count."),
		"queued":        field(framework.TypeInt, "Number of accounts that have something to do, now or at a known time."),
		"failing_count": field(framework.TypeInt, "How many accounts fail, including those that are not listed."),
		"drifted": field(framework.TypeInt, "Number of accounts whose server did not have the current password when it was checked last. "+
			"report with drifted=true has them."),
		"rebuilt": field(framework.TypeInt, "Number of accounts whose server seems to have been rebuilt since the current password was "+
			"recorded. report with rebuilt=true has them."),
		"warnings": field(framework.TypeStringSlice, "Credentials of connections that end within 30 days or have ended, and those whose "+
			"unattended rotation fails."),
		"failing_role_count": field(framework.TypeInt, "How many roles' instances could not be looked up, which is tried every 10 minutes. "+
			"Meanwhile new instances are not bound, and deleted ones are not detected."),
		"conflict_count": field(framework.TypeInt, "How many instances roles' instance_tags match, but were left out when the tags were last "+
			"resolved, since an older binding wins."),
		"summary": field(framework.TypeString, "For people, a few lines of text: each connection, whether it works and what its accounts "+
			"do; why accounts fail, summed up by cause; how many have drifted, or were rebuilt; the roles; what could not be looked up, and "+
			"conflicts."),
		"details": optional(framework.TypeMap, "Only with detailed=true, for programs: "+
			"connections (by name: requests_per_second; waiting, the requests that wait for the rate limit, by API action; working; queued; "+
			"breaker_open, retry_in in seconds and last_error of one whose cloud does not answer; braked_accounts, and braked if they are so "+
			"many that no new rotation is begun; of its own credential: credential_age in seconds, credential_expires, last_root_rotation, "+
			"next_root_rotation, root_rotation_error), "+
			"roles (by name: connection, accounts, states, leases, due, oldest_due, failing, drifted), "+
			"failing (accounts whose last try failed, those with most failures first, at most 100: account, or role for a shared_password, "+
			"state, failures, last_error, next_try, waiting_for), "+
			"causes (of these and the others, at most 100: cause, accounts, example_account or example_role), "+
			"failing_roles (role, connection, last_error, last_error_time, since) and "+
			"conflicts (role, connection, instance_id, username, reason; at most 100 for each role)."),
	}
}

func (b *backend) readStatus(ctx context.Context, req *logical.Request, fields *framework.FieldData) (*logical.Response, error) {
	status := b.core.Status()
	data := accountStates(status, b.core.Now())
	stored, err := b.lookUpStates(ctx, status.Connections)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		stored = b.statesInMemory(status.Connections)
		data["stale"] = true
	}
	data["warnings"] = stored.warnings
	data["failing_role_count"], data["conflict_count"] = len(stored.failingRoles), stored.conflictCount
	mount := request.Mount(req)
	data["summary"] = statusSummary(mount, status, stored, b.core.Now())
	if fields.Get("detailed").(bool) {
		data["details"] = statusDetails(mount, status, stored)
	}
	resp := &logical.Response{Data: data}
	if data["stale"] == true {
		resp.AddWarning("Vault's storage does not answer at the moment: connections are those that were used since the start, conflicts are " +
			"left out")
	}
	return resp, nil
}
