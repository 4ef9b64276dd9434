package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// How many of the accounts that fail an answer names.
const (
	failingLimit   = 10
	campaignCauses = 10
)

func (b *backend) pathCampaignsList() *framework.Path {
	return &framework.Path{
		Pattern:      "campaigns/?$",
		DisplayAttrs: request.DisplayAttrs("campaigns"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.listCampaigns,
				Summary:     "List the campaigns.",
				Description: "Returns the ids of the last 100 orders over many accounts, the newest first, with how far each has come.",
				Responses: request.DataResponses("The campaigns.", map[string]*framework.FieldSchema{
					"keys": {Type: framework.TypeStringSlice, Description: "The ids, the newest first."},
					"key_info": {Type: framework.TypeMap, Description: "By id: kind, role, connection, created_time, requested_by, total, done, failed, " +
						"waiting and ended_time, as in a campaign itself. The numbers may be 30 seconds old."},
				}),
			}),
		},
		HelpSynopsis:    campaignsListSynopsis,
		HelpDescription: campaignsDescription,
	}
}

func (b *backend) pathCampaign() *framework.Path {
	wait := request.WaitField()
	wait.Description = "How long to wait for the campaign's end, at most " + request.FormatDuration(request.MaxWait) +
		". Default: 0, which answers at once."
	return &framework.Path{
		Pattern: "campaigns/" + framework.GenericNameRegex("id") + "$",
		Fields: map[string]*framework.FieldSchema{
			"id":   request.NameField("Id of the campaign, as the order was answered with it."),
			"wait": wait,
			"limit": {Type: framework.TypeInt, Query: true, Default: failingLimit,
				Description: "How many of the accounts that fail the answer names, at most 1,000. Default: 10."},
		},
		DisplayAttrs: request.DisplayAttrs("campaign"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readCampaign,
				Summary:     "Read how far a campaign has come.",
				Description: "Answers at once, or after waiting for the campaign's end. Calls no cloud, and contains no secret.",
				Responses:   request.DataResponses("The campaign.", campaignResponse()),
			}),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback: b.deleteCampaign,
				Summary:  "Delete a campaign.",
				Description: "Forgets the campaign. Accounts for which nothing was ordered yet are left as they are; those that are due stay so, " +
					"and are rotated.",
				Responses: request.DeleteResponses("The campaign is forgotten."),
			}),
		},
		HelpSynopsis:    campaignSynopsis,
		HelpDescription: campaignsDescription,
	}
}

func campaignResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Description: description}
	}
	number := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeInt, Required: true, Description: description}
	}
	kind := text("Which path took the order: rotate-role, rotate-connection, rotate-reader, verify or verify-connection.")
	kind.Required = true
	return map[string]*framework.FieldSchema{
		"kind":                   kind,
		"role":                   text("The role whose accounts it is about."),
		"connection":             text("The connection whose accounts it is about."),
		"reader_entity_id":       text("Only of rotate-reader: the entity_id that was given."),
		"reader_display_name":    text("Only of rotate-reader: the display_name that was given."),
		"drift_action":           text("Only of verify and verify-connection: the drift_action that was given."),
		"requested_by":           text("The display name of who gave the order, as far as Vault told."),
		"requested_by_entity_id": text("The id of that client's entity in Vault."),
		"created_time":           request.TimeField(true, "When the order was given"),
		"total":                  number("How many accounts it is about."),
		"done": number("How many have a password that was made, or that was recorded by an operator, since then; of verify: how many were " +
			"checked since then."),
		"failed":  number("How many are due, and their last try failed, or is braked, or left out of a shared_password. They are tried again."),
		"waiting": number("How many are due, and have not failed since. They wait for their turn, or for what waiting_for in accounts/ says."),
		"skipped": number("How many were left out, for what skip_reasons says."),
		"not_yet_ordered": number("How many are not due yet. More than 100 accounts become due in the background, some hundred in a second as " +
			"storage allows."),
		"estimated_seconds": {Type: framework.TypeInt, Description: "How long what waits will take at the pace so far. Missing while there is " +
			"none, and if nothing waits. Accounts that fail do not count."},
		"estimated_end_time": request.TimeField(false, "When that is"),
		"ended_time":         request.TimeField(false, "When it has ended. The numbers are those of that time"),
		"end_reason": text("completed (each account is done or skipped), superseded (the same was ordered later), expired (after 30 days) or " +
			"lost (storage has lost a part of its list; write the order again). Whatever it is, an account that is due stays so."),
		"skip_reasons": {Type: framework.TypeMap, Description: "How many accounts were skipped for which reason: deleted (the account), gone " +
			"(its server), no_reset (nothing can set its password), not_checkable (its role has no check_method, or there is no password yet), " +
			"not_bound (it has left the role), not_due (what it was due for was dropped, as when its role has lost its reset_method), " +
			"check_replaced (an operator has recorded the password meanwhile) or lost (see end_reason)."},
		"results": {Type: framework.TypeMap, Description: "Only of verify and verify-connection: how many checks had which check_result, as in " +
			"accounts/."},
		"causes": {Type: framework.TypeSlice, Description: "Why accounts fail, those of most accounts first, at most 10: cause, accounts, " +
			"example_account, or example_role for a shared_password."},
		"failing": {Type: framework.TypeSlice, Description: "Accounts that fail, at most limit of them: account, or role for a " +
			"shared_password, state, last_error, next_try, waiting_for."},
	}
}

func (b *backend) listCampaigns(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	states, err := b.campaigns.List(ctx)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	keys, info := make([]string, 0, len(states)), map[string]any{}
	for _, s := range states {
		data := map[string]any{"kind": string(s.Kind), "created_time": request.Timestamp(s.Created), "total": s.Total, "done": s.Done,
			"failed": s.Failed, "waiting": s.Waiting}
		setText(data, "role", s.Role)
		setText(data, "connection", s.Connection)
		setText(data, "requested_by", s.By.DisplayName)
		setTime(data, "ended_time", request.Timestamp(s.Ended))
		keys, info[s.ID] = append(keys, s.ID), data
	}
	return logical.ListResponseWithInfo(keys, info), nil
}

func (b *backend) readCampaign(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := request.Wait(data)
	if err != nil {
		return nil, err
	}
	limit := data.Get("limit").(int)
	if limit < 0 || limit > campaign.MaxFailing {
		return nil, request.Invalidf("limit: must be 0 to %d; report with failing=true has all accounts that fail", campaign.MaxFailing)
	}
	s, err := b.campaigns.Read(ctx, data.Get("id").(string), wait)
	if err != nil || s == nil {
		return nil, request.VaultError("", err)
	}
	return &logical.Response{Data: campaignData(s, request.Mount(req), limit, b.core.Now())}, nil
}

// campaignData is what campaigns/ shows.
func campaignData(s *campaign.State, mount string, limit int, now time.Time) map[string]any {
	data := map[string]any{"kind": string(s.Kind), "created_time": request.Timestamp(s.Created), "total": s.Total}
	setText(data, "role", s.Role)
	setText(data, "connection", s.Connection)
	setText(data, "reader_entity_id", s.Reader.EntityID)
	setText(data, "reader_display_name", s.Reader.DisplayName)
	setText(data, "drift_action", string(s.Action))
	setText(data, "requested_by", s.By.DisplayName)
	setText(data, "requested_by_entity_id", s.By.EntityID)
	addProgress(data, s)
	if s.Left > 0 {
		data["estimated_seconds"] = request.Seconds(s.Left.Round(time.Second))
		setTime(data, "estimated_end_time", request.Timestamp(now.Add(s.Left)))
	}
	setTime(data, "ended_time", request.Timestamp(s.Ended))
	setText(data, "end_reason", string(s.Reason))
	if len(s.Skips) > 0 {
		data["skip_reasons"] = s.Skips
	}
	if len(s.Results) > 0 {
		data["results"] = s.Results
	}
	if len(s.Causes) > 0 {
		data["causes"] = causesData(mount, s.Causes, campaignCauses)
	}
	if failing := s.Failing[:min(len(s.Failing), limit)]; len(failing) > 0 {
		data["failing"] = campaignFailing(failing)
	}
	return data
}

// addProgress adds how many accounts are how far.
func addProgress(data map[string]any, s *campaign.State) {
	data["done"], data["failed"], data["waiting"], data["skipped"], data["not_yet_ordered"] = s.Done, s.Failed, s.Waiting, s.Skipped,
		s.Unordered
}

func campaignFailing(failing []campaign.Failing) []map[string]any {
	rows := make([]map[string]any, 0, len(failing))
	for _, f := range failing {
		field, name := named(f.ID)
		row := map[string]any{field: name, "state": f.State, "last_error": f.Trouble}
		setTime(row, "next_try", request.Timestamp(f.NextTry))
		setText(row, "waiting_for", f.WaitingFor)
		rows = append(rows, row)
	}
	return rows
}

func (b *backend) deleteCampaign(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	_, err := b.campaigns.Delete(ctx, data.Get("id").(string))
	return nil, request.VaultError("", err)
}

// begin takes an order over many accounts, and adds the campaign to its answer.
func (b *backend) begin(ctx context.Context, order campaign.Order, list []rotation.Ordered, refused map[rotation.SkipReason]int,
	resp *logical.Response,
) (*campaign.Begun, error) {
	if len(list) == 0 {
		return &campaign.Begun{}, nil
	}
	begun, err := b.campaigns.Begin(ctx, order, list, refused)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp.Data["campaign"] = begun.ID
	for _, id := range begun.Displaced {
		resp.AddWarning("campaign " + id + " was forgotten, since there are too many that have not ended; its accounts stay due")
	}
	return begun, nil
}

// accountsOf counts the accounts of a list.
func accountsOf(list []rotation.Ordered) int {
	n := 0
	for _, o := range list {
		n += o.Accounts
	}
	return n
}

// campaignField is the field of the answers to orders.
func campaignField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString,
		Description: "Id of the campaign: campaigns/ tells how far it has come, and when it has ended. Missing if there is no account."}
}
