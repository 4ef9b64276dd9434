package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
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
		Fields:         roleFields(b.registry),
		DisplayAttrs:   request.DisplayItem("role", "Role"),
		ExistenceCheck: b.roleExists,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readRole,
				Summary:     "Read a role.",
				Description: "Returns the role with defaults filled in; durations are whole seconds.",
				Responses:   request.DataResponses("The role.", roleResponse(b.registry)),
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
	shown := r.read(d)
	if r.shared() {
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
	for range store.WriteTries {
		resp, err := b.tryWriteRole(ctx, name, in)
		if !errors.Is(err, store.ErrChanged) {
			return resp, err
		}
	}
	return nil, request.Conflictf("role %s or its connection %s, several times; write it again", name, store.ErrChanged)
}

// tryWriteRole makes a role's write, or returns ErrChanged. It holds no lock while it asks the cloud.
func (b *backend) tryWriteRole(ctx context.Context, name string, in request.Fields) (*logical.Response, error) {
	old, err := b.roles.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	next, c, d, err := b.applyRole(ctx, name, old, in)
	if err != nil {
		return nil, err
	}
	members, adjust, warnings, err := b.chooseMembers(ctx, name, old, next, c, d, in)
	if err != nil {
		return nil, err
	}
	if !adjust && old != nil && next.InstanceTags != nil {
		if members, err = b.lingerWritten(name)(ctx, looked{old, next, members, c.RequiredTags}); err != nil {
			return nil, err
		}
	}
	kept := next.Kept
	if next.shared() && len(members) == 0 {
		return nil, request.Invalidf(
			"shared_password: needs an instance to share the password of, and none carries these instance_tags at the moment")
	}
	unlock, err := b.lockRole(ctx, name, old, next.Connection, c)
	if err != nil {
		return nil, err
	}
	defer unlock()
	defer b.keys.RLock(next.Key)()
	// What needs no cloud is checked once more, such as that the key is still there.
	if next, _, d, err = b.applyRole(ctx, name, old, in); err != nil {
		return nil, err
	}
	next.Kept = kept
	ch := &change{b: b, name: name, old: old, next: next, d: d, adjust: adjust}
	if err := ch.apply(ctx, members); err != nil {
		return nil, err
	}
	if !adjust {
		b.refreshes.ended(name, nil, b.clock.now())
	}
	return request.Warned(slices.Concat(warnings, ch.warnings, b.mountWarnings(next), b.policies.Warnings(ctx, in, next.PasswordPolicy))), nil
}

// chooseMembers finds out which instances a role means. adjust tells that they are those of before, and that no
// cloud was asked.
func (b *backend) chooseMembers(ctx context.Context, name string, old, next *role, c *connection.Record, d cloud.Descriptor,
	in request.Fields) (members []member, adjust bool, warnings []hint.Text, err error) {
	if needsCloud(old, next, in, d) {
		members, warnings, err = b.lookUp(ctx, next, c, d)
		return members, false, warnings, err
	}
	bound, whole, err := b.boundMembers(ctx, name, old)
	if err != nil {
		return nil, false, nil, err
	}
	if whole && !changesNothing(old, next) {
		warnings, err = b.refit(ctx, old, next, c, d, bound)
		return bound, true, warnings, err
	}
	members, warnings, err = b.lookUp(ctx, next, c, d)
	if err != nil && whole {
		return bound, true, []hint.Text{hint.Textf("nothing has changed, and the instances could not be looked at: %s", err)}, nil
	}
	return members, false, warnings, err
}

// lookUp asks the cloud for a role's instances.
func (b *backend) lookUp(ctx context.Context, r *role, c *connection.Record, d cloud.Descriptor) ([]member, []hint.Text, error) {
	v, err := b.newResolver(ctx, r, c, d)
	if err != nil {
		return nil, nil, err
	}
	return v.resolve(ctx)
}

// mountWarnings tells where the mount's tuning cuts the role's leases short.
func (b *backend) mountWarnings(r *role) []hint.Text {
	limit := b.System().MaxLeaseTTL()
	if r.Mode != rotation.Leased || limit <= 0 || r.maxTTL() <= limit {
		return nil
	}
	return []hint.Text{hint.Textf("max_ttl: %s is above the mount's max_lease_ttl of %s, to which Vault cuts leases; raise it: %s",
		request.FormatDuration(r.maxTTL()), request.FormatDuration(limit),
		hint.New(fmt.Sprintf("secrets tune -max-lease-ttl=%ds", request.Seconds(r.maxTTL())), ""))}
}

func (b *backend) deleteRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	defer b.roleLocks.Lock(name)()
	r, err := b.roles.Get(ctx, name)
	if err != nil || r == nil {
		return nil, err
	}
	// The role goes last: a delete that was cut short can be repeated. Before it the group, since an
	// account leaves that with its role.
	if r.shared() {
		if err := b.core.UnbindGroup(ctx, r.Connection, name); err != nil {
			return nil, request.VaultError("", err)
		}
	}
	for _, instance := range r.instances() {
		if err := b.core.Unbind(ctx, r.account(instance), name); err != nil {
			return nil, request.VaultError("", err)
		}
	}
	return nil, b.roles.Remove(ctx, name)
}
