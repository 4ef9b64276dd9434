package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// rotateConnectionPrefix begins a path that needs sudo.
const rotateConnectionPrefix = "rotate-connection/"

func (b *backend) pathRotateConnection() *framework.Path {
	path := pathRotateOf(rotateConnectionPrefix, "connection", framework.PathOperation{
		Callback: b.rotateConnection,
		Summary:  "Rotate the passwords of all accounts of a connection.",
		Description: "Marks every account due, beginning with those whose password someone knows, and answers at once with their number. " +
			"Needs sudo.",
		Responses: request.DataResponses("The accounts are due.", map[string]*framework.FieldSchema{
			"accounts_due": {Type: framework.TypeInt, Required: true,
				Description: "How many accounts are due now. Those of instances that are gone are not counted."},
		}),
	})
	path.HelpSynopsis, path.HelpDescription = rotateConnectionSynopsis, rotateConnectionDescription
	return path
}

func (b *backend) rotateConnection(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if !d.CanReset() {
		return nil, request.Conflictf("provider %s cannot reset passwords, so no account of connection %s can be rotated", c.Provider, name)
	}
	count, err := b.core.RotateConnection(ctx, name)
	if err != nil {
		return nil, request.VaultError(fmt.Sprintf("%d accounts of connection %s were made due, then", count, name), err)
	}
	return &logical.Response{Data: map[string]any{"accounts_due": count}}, nil
}
