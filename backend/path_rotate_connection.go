package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// rotateConnectionPrefix begins a path that needs sudo.
const rotateConnectionPrefix = "rotate-connection/"

func (b *backend) pathRotateConnection() *framework.Path {
	path := pathRotateOf(rotateConnectionPrefix, "connection", framework.PathOperation{
		Callback: b.rotateConnection,
		Summary:  "Rotate the passwords of all accounts of a connection.",
		Description: "Begins a campaign that marks every account due, those first whose password someone knows, and answers at once with " +
			"their number. Needs sudo.",
		Responses: request.DataResponses("The order is taken.", map[string]*framework.FieldSchema{
			"campaign": campaignField(),
			"accounts_due": {Type: framework.TypeInt, Required: true,
				Description: "How many accounts the campaign makes due: the first 100 before the answer. Those of instances that are gone are " +
					"not counted."},
		}),
	})
	path.HelpSynopsis, path.HelpDescription = rotateConnectionSynopsis, rotateConnectionDescription
	return path
}

func (b *backend) rotateConnection(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if !d.CanReset() {
		return nil, request.Conflictf("provider %s cannot reset passwords, so no account of connection %s can be rotated", c.Provider, name)
	}
	list, err := b.core.OrderConnection(ctx, name)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp := &logical.Response{Data: map[string]any{"accounts_due": accountsOf(list)}}
	order := campaign.Order{Kind: campaign.RotateConnection, Connection: name, By: requesterOf(req)}
	if _, err := b.begin(ctx, order, list, nil, resp); err != nil {
		return nil, err
	}
	return resp, nil
}
