package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/host"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func (b *backend) pathHostKey() *framework.Path {
	return &framework.Path{
		Pattern:      host.RepinPrefix + framework.GenericNameRegex("name") + "$",
		Fields:       host.PinFields(),
		DisplayAttrs: request.DisplayAttrs("host-key"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readHostKey,
				Summary:     "Read what is pinned of a host.",
				Description: "Also of one that was deleted while accounts of it exist. Needs sudo.",
				Responses:   request.DataResponses("What is pinned.", host.PinSchemas()),
			},
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.writeHostKey,
				Summary:  "Change what hosts/ must not change of a host.",
				Description: "Replaces the pinned host key, and changes login_user and connection also while accounts of the host exist. Whoever " +
					"has the private half of the key, or is the login user, gets the host's passwords. Needs sudo.",
				Responses:    request.DataResponses("What is pinned now.", host.PinSchemas()),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "replace"},
			}),
		},
		HelpSynopsis:    hostKeySynopsis,
		HelpDescription: hostKeyDescription,
	}
}

func (b *backend) readHostKey(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	r, err := b.hosts.Pinned(ctx, data.Get("name").(string))
	if err != nil || r == nil {
		return nil, err
	}
	return &logical.Response{Data: r.PinData()}, nil
}

func (b *backend) writeHostKey(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	r, err := b.hosts.Repin(ctx, name, request.Fields{Data: data})
	if err != nil {
		return nil, err
	}
	b.Logger().Warn("an operator's word about a host", "host", name, "connection", r.Connection, "fingerprint",
		sshclient.Fingerprint(r.HostKey), "login_user", r.LoginUser, "another_server", data.Get("another_server"), "by", req.DisplayName)
	return &logical.Response{Data: r.PinData()}, nil
}
