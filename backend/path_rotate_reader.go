package backend

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// rotateReaderPath is a path that needs sudo.
const rotateReaderPath = "rotate-reader"

// maxListedAccounts is how many accounts an answer names.
const maxListedAccounts = 1000

// maxReaderText is longer than any name that Vault gives a token: what is longer was pasted by mistake.
const maxReaderText = 1024

func (b *backend) pathRotateReader() *framework.Path {
	number := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeInt, Required: true, Description: description}
	}
	return &framework.Path{
		Pattern: rotateReaderPath + "$",
		Fields: map[string]*framework.FieldSchema{
			"entity_id": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Entity id"),
				Description: "Id of the entity. Required unless display_name is given."},
			"display_name": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Display name"),
				Description: "Display name of the reader's tokens, as accounts/ shows it. Required unless entity_id is given."},
			"dry_run": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Dry run"),
				Description: "Only say which accounts it would rotate. Default: false."},
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "rotate", OperationSuffix: "reader"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.rotateReader,
				Summary:  "Rotate the passwords that a reader was given.",
				Description: "Begins a campaign that marks every account due whose current password was given to an entity or a display name, " +
					"and answers at once with their number. Needs sudo.",
				Responses: request.DataResponses("The order is taken; with dry_run, it would be.", map[string]*framework.FieldSchema{
					"campaign": campaignField(),
					"accounts_due": number("How many accounts the campaign makes due, the first 100 before the answer; with dry_run: would make due. " +
						"Those of instances that are gone are not counted."),
					"accounts_possible": number("How many of them only since their password was also given to others than the readers that are " +
						"kept by name, so that this one may be among them."),
					"accounts_unable": number("How many further accounts have a password that the reader was, or may have been, given, but cannot " +
						"be rotated: set another password inside the server and record it with import/."),
					"accounts": {Type: framework.TypeStringSlice, Description: "Only with dry_run: the accounts that would be due, as " +
						"connection/instance_id/username, those first that are known to be given to the reader; at most 1,000. An asterisk as " +
						"instance_id stands for all accounts of a role with shared_password, whose name follows it."},
					"unable": {Type: framework.TypeStringSlice, Required: true, Description: "The accounts of accounts_unable; at most 1,000."},
				}),
			}),
		},
		HelpSynopsis:    rotateReaderSynopsis,
		HelpDescription: rotateReaderDescription,
	}
}

func (b *backend) rotateReader(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	for _, field := range []string{"entity_id", "display_name"} {
		if len(data.Get(field).(string)) > maxReaderText {
			return nil, request.Invalidf("%s: must have at most %d bytes", field, maxReaderText)
		}
	}
	who := rotation.Requester{EntityID: clientText(data.Get("entity_id").(string)), DisplayName: clientText(data.Get("display_name").(string))}
	if (who.EntityID == "") == (who.DisplayName == "") {
		return nil, request.Invalidf("entity_id, display_name: give exactly one of them")
	}
	if data.Get("dry_run").(bool) {
		found, err := b.core.GivenTo(ctx, who)
		if err != nil {
			return nil, request.VaultError("", err)
		}
		answer := givenAnswer(found, found.Count(found.Known)+found.Count(found.Possible))
		answer["accounts"] = namesOf(slices.Concat(found.Known, found.Possible))
		return &logical.Response{Data: answer}, nil
	}
	found, list, err := b.core.OrderGiven(ctx, who)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp := &logical.Response{Data: givenAnswer(found, accountsOf(list))}
	order := campaign.Order{Kind: campaign.RotateReader, Reader: who, By: requesterOf(req)}
	if _, err := b.begin(ctx, order, list, nil, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// givenAnswer is what both answers tell.
func givenAnswer(found *rotation.GivenAccounts, due int) map[string]any {
	return map[string]any{
		"accounts_due": due, "accounts_possible": found.Count(found.Possible), "accounts_unable": found.Count(found.Unable),
		"unable": namesOf(found.Unable),
	}
}

// namesOf names accounts, as many as an answer may.
func namesOf(ids []rotation.ID) []string {
	names := make([]string, 0, min(len(ids), maxListedAccounts))
	for _, id := range ids[:min(len(ids), maxListedAccounts)] {
		names = append(names, id.String())
	}
	return names
}
