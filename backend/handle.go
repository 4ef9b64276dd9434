package backend

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// HandleRequest is the one wrapper around every path. It turns panics into errors, and refuses fields that a write does not know,
// since the framework only warns of them, and not even that when there is no response body: a misspelt
// max_ttl would be lost in silence.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if value := recover(); value != nil {
			resp, err = nil, logical.CodedError(http.StatusInternalServerError, guard.Caught(b.Logger(), string(req.Operation)+" "+req.Path,
				value).Error())
		}
	}()
	return b.handle(ctx, req)
}

// handle is HandleRequest but for panics.
func (b *backend) handle(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation,
		logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
	case logical.HelpOperation:
		resp, err := b.Backend.HandleRequest(ctx, req)
		if err != nil {
			return resp, err
		}
		return resp, request.KeepReferences(resp)
	default: // leases, rollback: no client's fields
		resp, err := b.Backend.HandleRequest(ctx, req)
		return request.AtMount(req, resp, err)
	}
	resp, err := b.handleStrictly(ctx, req)
	return request.AtMount(req, resp, err)
}

func (b *backend) handleStrictly(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	var ignored []hint.Text
	if len(req.Data) > 0 { // most reads have no fields, and finding the path takes as long as the read itself
		if path := b.Route(req.Path); path != nil && path.Operations[req.Operation] != nil {
			var err error
			if req, ignored, err = request.CheckFields(path, req); err != nil {
				return nil, err
			}
		}
	}
	// A client waits for the answer, so its cloud calls go before those of the background.
	ctx = cloud.WithInteractive(ctx)
	if req.Operation != logical.ReadOperation && req.Operation != logical.ListOperation {
		ctx = rotation.WithRequester(ctx, requesterOf(req))
	}
	resp, err := b.Backend.HandleRequest(ctx, req)
	if errors.Is(err, logical.ErrUnsupportedOperation) {
		return nil, request.Unsupported(b.Route(req.Path), req, func(field string) bool { return connection.IsWriteOnly(b.registry, field) })
	}
	if errors.Is(err, logical.ErrUnsupportedPath) {
		return nil, request.UnsupportedPath(req.Path)
	}
	if resp != nil && err == nil {
		resp = request.Warn(resp, ignored...)
	}
	return resp, err
}

// maxDisplayName is how many characters of a requester's name are kept. Vault makes it of names that people may choose.
const maxDisplayName = 200

// requesterOf is who makes a request, as far as Vault tells.
func requesterOf(req *logical.Request) rotation.Requester {
	return rotation.Requester{EntityID: text.Name(req.EntityID, maxDisplayName), DisplayName: text.Name(req.DisplayName, maxDisplayName)}
}

// HandleExistenceCheck asks only whether the thing in the URL exists. The body is left to
// HandleRequest: an error from here would be logged by Vault with the value that caused it.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	defer guard.Recover(b.Logger(), "the existence check of "+req.Path, &err)
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}
