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
	w, end, err := b.beginRoot(ctx, data.Get("name").(string))
	if err != nil {
		return nil, err
	}
	defer end()
	result, err := w.rotate(ctx)
	b.rootRotations.tried(w.name, err, b.clock.now())
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp := &logical.Response{Data: map[string]any{
		"credential_id": result.newID, "previous_credential_id": result.oldID, "resumed": result.resumed,
	}}
	if result.oldID == "" {
		resp.AddWarning("the connection used a password before, which still is valid at the cloud")
	}
	if left := w.c.LeftoverIDs(); len(left) > 0 {
		resp.AddWarning("earlier rotations have left credentials behind, which nothing uses; delete them at the cloud: " +
			request.Summarize(left))
	}
	return resp, nil
}

// finishRootRotations goes on with rotations that were cut short. It is called now and then, where
// storage may be written.
func (b *backend) finishRootRotations(ctx context.Context) error {
	names, err := b.connections.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		c, err := b.connections.Get(ctx, name)
		if err != nil || c == nil || c.RootRotation == nil || !b.rootRotations.mayRetry(name, b.clock.now()) {
			continue
		}
		b.finishRootRotation(ctx, name)
	}
	return nil
}

func (b *backend) finishRootRotation(ctx context.Context, name string) {
	w, end, err := b.beginRoot(ctx, name)
	if err != nil {
		return // somebody is at it, or the connection is gone
	}
	defer end()
	if w.c.RootRotation == nil {
		return
	}
	done, err := w.settle(ctx)
	b.rootRotations.tried(name, err, b.clock.now())
	switch {
	case err != nil:
		b.Logger().Warn("an unfinished rotate-root could not be finished; it is tried again", "connection", name, "error", err)
	case done != nil:
		b.Logger().Info("an unfinished rotate-root was finished", "connection", name, "credential", done.newID, "deleted", done.oldID)
	case len(w.c.Leftovers) > 0:
		b.Logger().Warn("an unfinished rotate-root came to nothing; delete what it left behind at the cloud", "connection", name,
			"leftover_credentials", w.c.LeftoverIDs())
	default:
		b.Logger().Info("an unfinished rotate-root came to nothing", "connection", name)
	}
}
