package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// rotateRootPrefix begins a path that needs sudo.
const rotateRootPrefix = "rotate-root/"

func (b *backend) pathRotateRoot() *framework.Path {
	path := pathRotateOf(rotateRootPrefix, "root-credential", framework.PathOperation{
		Callback: b.rotateRoot,
		Summary:  "Replace a connection's own credential.",
		Description: "Creates a new credential with the present one, verifies it, stores it, and deletes the old one. If an earlier rotation " +
			"is unfinished, finishes that instead. Needs sudo.",
		Responses: request.DataResponses("The credential is replaced.", map[string]*framework.FieldSchema{
			"credential_id": {Type: framework.TypeString, Required: true, Description: "Id of the credential that is now in use."},
			"previous_credential_id": {Type: framework.TypeString, Required: true,
				Description: "Id of the credential that it replaces, which is deleted; empty if that was a password."},
			"resumed": {Type: framework.TypeBool, Required: true, Description: "Whether this finished an earlier rotation."},
		}),
	})
	path.HelpSynopsis, path.HelpDescription = rotateRootSynopsis, rotateRootDescription
	return path
}

// pathRotateOf is a path that rotates what belongs to a connection, by a write.
func pathRotateOf(prefix, what string, op framework.PathOperation) *framework.Path {
	return &framework.Path{
		Pattern:      prefix + framework.GenericNameRegex("name") + "$",
		Fields:       map[string]*framework.FieldSchema{"name": request.NameField("Name of the connection.")},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "rotate", OperationSuffix: what},
		Operations:   map[logical.Operation]framework.OperationHandler{logical.UpdateOperation: request.Forwarded(op)},
	}
}

func (b *backend) rotateRoot(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	result, err := b.root.Rotate(ctx, data.Get("name").(string))
	if err != nil {
		return nil, err
	}
	resp := &logical.Response{Data: map[string]any{
		"credential_id": result.NewID, "previous_credential_id": result.OldID, "resumed": result.Resumed,
	}}
	if result.OldID == "" {
		resp.AddWarning("the connection used a password before, which still is valid at the cloud")
	}
	if len(result.Left) > 0 {
		resp.AddWarning("earlier rotations have left credentials behind, which nothing uses; delete them at the cloud: " +
			request.Summarize(result.Left))
	}
	return resp, nil
}
