package backend

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathRolesList() *framework.Path {
	return &framework.Path{
		Pattern:      "roles/?$",
		Fields:       request.PageFields(nil),
		DisplayAttrs: request.DisplayItem("roles", "Role"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback:    b.listRoles,
				Summary:     "List the roles.",
				Description: "Lists the names of the roles, sorted.",
				Responses:   request.ListResponses("The names of the roles."),
			},
		},
		HelpSynopsis:    rolesListSynopsis,
		HelpDescription: rolesListDescription,
	}
}

func (b *backend) pathRoles() *framework.Path {
	return &framework.Path{
		Pattern:        "roles/" + framework.GenericNameRegex("name") + "$",
		Fields:         role.Schemas(b.registry),
		DisplayAttrs:   request.DisplayItem("role", "Role"),
		ExistenceCheck: b.roleExists,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readRole,
				Summary:     "Read a role.",
				Description: "Returns the role with defaults filled in; durations are whole seconds.",
				Responses:   request.DataResponses("The role.", role.ResponseSchemas(b.registry)),
			},
			logical.CreateOperation: b.writeRoleOperation(),
			logical.UpdateOperation: b.writeRoleOperation(),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback: b.deleteRole,
				Summary:  "Delete a role.",
				Description: "Frees its accounts for other roles and keeps their records. Leases continue to their end, which still rotates. With " +
					"shared_password the leases end at once, and each account is rotated to a password of its own.",
				Responses: request.DeleteResponses("The role is deleted."),
			}),
		},
		HelpSynopsis:    rolesSynopsis,
		HelpDescription: rolesDescription,
	}
}

func (b *backend) writeRoleOperation() *framework.PathOperation {
	return request.Forwarded(framework.PathOperation{
		Callback: b.writeRole,
		Summary:  "Create or update a role.",
		Description: "Changes only the fields that it names; an empty value unsets a field. A write that selects other instances, or has no " +
			"fields, asks the cloud for them and refuses what does not fit; other fields are changed without the cloud.",
		Responses: request.WriteResponses("The role is stored and its accounts are bound."),
	})
}

func (b *backend) listRoles(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	names, err := b.roles.List(ctx)
	if err != nil {
		return nil, err
	}
	return request.Page(names, data)
}

func (b *backend) roleExists(ctx context.Context, _ *logical.Request, data *framework.FieldData) (bool, error) {
	r, err := b.roles.Get(ctx, data.Get("name").(string))
	return r != nil, err
}

func (b *backend) readRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	r, err := b.roles.Get(ctx, data.Get("name").(string))
	if err != nil || r == nil {
		return nil, err
	}
	_, d, err := b.connections.Find(ctx, r.Connection)
	if err != nil {
		return nil, err
	}
	shown := r.ResponseData(d)
	if r.Shared() {
		leftOut, joining, err := b.core.Outside(ctx, r.Connection, data.Get("name").(string))
		if err != nil {
			return nil, request.VaultError("", err)
		}
		if len(leftOut) > 0 {
			shown["left_out"] = leftOut
		}
		if len(joining) > 0 {
			shown["joining"] = joining
		}
	}
	return &logical.Response{Data: shown}, nil
}

func (b *backend) writeRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := request.CheckName("role", name); err != nil {
		return nil, err
	}
	in := request.Fields{Data: data}
	written, warnings, err := b.roles.Write(ctx, name, in)
	if err != nil {
		return nil, err
	}
	return request.Warned(slices.Concat(warnings, b.mountWarnings(written), b.policies.Warnings(ctx, in, written.PasswordPolicy))), nil
}

// mountWarnings tells where the mount's tuning cuts the role's leases short.
func (b *backend) mountWarnings(r *role.Record) []hint.Text {
	limit := b.System().MaxLeaseTTL()
	if r.Mode != rotation.Leased || limit <= 0 || r.EffectiveMaxTTL() <= limit {
		return nil
	}
	return []hint.Text{hint.Textf("max_ttl: %s is above the mount's max_lease_ttl of %s, to which Vault cuts leases; raise it: %s",
		request.FormatDuration(r.EffectiveMaxTTL()), request.FormatDuration(limit),
		hint.New(fmt.Sprintf("secrets tune -max-lease-ttl=%ds", request.Seconds(r.EffectiveMaxTTL())), ""))}
}

func (b *backend) deleteRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, b.roles.Delete(ctx, data.Get("name").(string))
}
