package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// rereadPrefix begins a path that needs sudo, as import/ does.
const rereadPrefix = "reread/"

func (b *backend) pathReread() *framework.Path {
	return &framework.Path{
		Pattern: rereadPrefix + accountPath + "$",
		Fields:  accountCaptures(),
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "reread",
			OperationSuffix: "initial-password"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.rereadPassword,
				Summary:  "Ask the cloud for the initial password of a rebuilt server again.",
				Description: "If the cloud has another one than the current version, that becomes a new version, the current one. It changes " +
					"nothing in the cloud or the server. Needs sudo.",
				Responses: request.DataResponses("The state of the account.", rereadResponse()),
			}),
		},
		HelpSynopsis:    rereadSynopsis,
		HelpDescription: rereadDescription,
	}
}

func (b *backend) rereadPassword(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	doubted := view.WhyRebuilt
	view, changed, err := b.core.Reread(ctx, view.ID)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp := &logical.Response{Data: rotationState(view)}
	resp.Data["changed"] = changed
	if changed {
		b.Logger().Info("the initial password of a server was read again", "account", view.ID.String(), "version", currentVersion(view))
		return resp, nil
	}
	if !doubted.IsZero() {
		resp = request.Warn(resp, hint.Textf("the cloud has the same initial password as before. If the server was rebuilt nevertheless, it "+
			"has told the cloud no new one (yet): ask again later, or record what it has: %s", view.ID.ImportHint()))
	}
	return resp, nil
}

// rereadResponse is the schema of the answer.
func rereadResponse() map[string]*framework.FieldSchema {
	fields := recordedResponse()
	fields["current_version"].Description = "Number of the current version."
	fields["changed"] = &framework.FieldSchema{Type: framework.TypeBool, Required: true,
		Description: "Whether the cloud had another initial password than the current version. If not, there is no new version."}
	return fields
}
