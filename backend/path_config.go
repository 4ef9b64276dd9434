package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

func (b *backend) pathConfigList() *framework.Path {
	return &framework.Path{
		Pattern:      "config/?$",
		Fields:       request.PageFields(nil),
		DisplayAttrs: request.DisplayItem("connections", "Connection"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback:    b.listConfig,
				Summary:     "List the connections.",
				Description: "Lists the names of the connections, sorted.",
				Responses:   request.ListResponses("The names of the connections."),
			},
		},
		HelpSynopsis:    configListSynopsis,
		HelpDescription: configListDescription,
	}
}

func (b *backend) pathConfig() *framework.Path {
	return &framework.Path{
		Pattern:        "config/" + framework.GenericNameRegex("name") + "$",
		Fields:         connection.Schemas(b.registry),
		DisplayAttrs:   request.DisplayItem("connection", "Connection"),
		ExistenceCheck: b.configExists,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readConfig,
				Summary:     "Read a connection.",
				Description: "Returns everything except the secrets, with defaults filled in.",
				Responses:   request.DataResponses("The connection.", connection.ResponseSchemas(b.registry)),
			},
			logical.CreateOperation: b.writeConfigOperation(),
			logical.UpdateOperation: b.writeConfigOperation(),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.deleteConfig,
				Summary:     "Delete a connection.",
				Description: "Refused while roles use it, hosts belong to it, or accounts of it have leases.",
				Responses:   request.WriteResponses("The connection is deleted."),
			}),
		},
		HelpSynopsis:    configSynopsis,
		HelpDescription: fmt.Sprintf(configDescription, connection.FieldHelp(b.registry)),
	}
}

func (b *backend) writeConfigOperation() *framework.PathOperation {
	return request.Forwarded(framework.PathOperation{
		Callback: b.writeConfig,
		Summary:  "Create or update a connection.",
		Description: "Changes only the fields that it names; an empty value unsets a field. Verifies the credentials with one call to the " +
			"cloud, unless verify_connection is false.",
		Responses:    request.WriteResponses("The connection is stored."),
		DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "configure"},
	})
}

func (b *backend) listConfig(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	names, err := b.connections.List(ctx)
	if err != nil {
		return nil, err
	}
	return request.Page(names, data)
}

func (b *backend) configExists(ctx context.Context, _ *logical.Request, data *framework.FieldData) (bool, error) {
	c, err := b.connections.Get(ctx, data.Get("name").(string))
	return c != nil, err
}

func (b *backend) readConfig(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	c, err := b.connections.Get(ctx, name)
	if err != nil || c == nil {
		return nil, err
	}
	return &logical.Response{Data: c.ResponseData(name, b.registry[c.Provider], b.clock.now())}, nil
}

func (b *backend) writeConfig(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := request.CheckName("connection", name); err != nil {
		return nil, err
	}
	in := request.Fields{Data: data, WriteOnly: func(field string) bool { return connection.IsWriteOnly(b.registry, field) }}
	for range store.WriteTries {
		resp, err := b.tryWriteConfig(ctx, name, in)
		if !errors.Is(err, store.ErrChanged) {
			return resp, err
		}
	}
	return nil, request.Conflictf("connection %s %s, several times; look at it, and write again: %s", name, store.ErrChanged,
		hint.New("read", "config/"+name))
}

// verified is what a connection was when a write of it was verified.
type verified struct {
	old   *connection.Record
	known []string // the instances of its accounts that were looked for
	told  connection.Told
}

// verifyConfig asks the cloud about the connection that a write makes. No lock is held.
func (b *backend) verifyConfig(ctx context.Context, name string, in request.Fields) (*verified, error) {
	if b.root.IsRunning(name) {
		return nil, request.Conflictf("rotate-root/%s is running; try again in a moment", name)
	}
	old, err := b.connections.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	next, err := b.connections.Apply(ctx, name, old, in)
	if err != nil {
		return nil, err
	}
	v := &verified{old: old}
	if !next.Verifies() {
		return v, nil
	}
	if v.known, err = b.connections.KnownInstances(ctx, name, old, next); err != nil {
		return nil, err
	}
	v.told, err = connection.Ask(ctx, b.connections, name, func(ctx context.Context) (connection.Told, error) {
		return b.connections.Verify(ctx, name, next, v.known, in.Again("config/"))
	})
	return v, err
}

// tryWriteConfig makes a connection's write, or returns ErrChanged.
func (b *backend) tryWriteConfig(ctx context.Context, name string, in request.Fields) (*logical.Response, error) {
	asked, err := b.verifyConfig(ctx, name, in)
	if err != nil {
		return nil, err
	}
	defer b.connections.Lock(name)()
	if b.root.IsRunning(name) {
		return nil, request.Conflictf("rotate-root/%s is running; try again in a moment", name)
	}
	old, err := b.connections.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if !store.Same(old, asked.old) {
		return nil, store.ErrChanged
	}
	next, err := b.connections.Apply(ctx, name, old, in) // accounts may have come meanwhile
	if err != nil {
		return nil, err
	}
	var warnings []hint.Text
	if old != nil && old.RootRotation != nil && !connection.SameCredentials(b.registry[next.Provider], old, next) {
		warnings = append(warnings, hint.Plain(next.AbandonRotation(name, b.registry[next.Provider], b.clock.now())))
	}
	if next.Verifies() {
		known, err := b.connections.KnownInstances(ctx, name, old, next)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(known, asked.known) {
			return nil, store.ErrChanged
		}
	}
	served, err := b.connections.SettlePlace(ctx, name, old, next, asked.told.Account)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, served...)
	if asked.told.Credential != nil {
		next.Tell(asked.told.Credential)
	}
	warnings = append(warnings, next.CredentialWarnings(name, b.registry[next.Provider], b.clock.now())...)
	err = b.connections.Put(ctx, name, next)
	b.core.ForgetConnection(name) // also after a failed write, which may have landed
	if err != nil {
		return nil, err
	}
	excluded, err := b.excludedRoles(ctx, name, next)
	if err != nil {
		return nil, err
	}
	unserved, err := b.unservedRoles(ctx, name, old, next)
	if err != nil {
		return nil, err
	}
	warnings = slices.Concat(warnings, excluded, unserved, b.policies.Warnings(ctx, in, next.PasswordPolicy))
	if len(warnings) > 0 && old != nil && old.RootRotation != nil && next.RootRotation == nil {
		b.Logger().Warn("an unfinished rotate-root was abandoned", "connection", name, "leftover_credentials", next.LeftoverIDs())
	}
	return request.Warned(warnings), nil
}

// unservedRoles warns of roles on which a change of required_tags does not act at once.
func (b *backend) unservedRoles(ctx context.Context, name string, old, next *connection.Record) ([]hint.Text, error) {
	if old == nil || len(next.RequiredTags) == 0 || maps.Equal(old.RequiredTags, next.RequiredTags) {
		return nil, nil
	}
	users, err := b.roles.With(ctx, func(r *role.Record) bool { return r.Connection == name && r.InstanceTags == nil })
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return []hint.Text{hint.Textf(
		"required_tags: roles with instance_ids keep their instances until they are looked up again: %s; that is: %s", request.Summarize(users),
		hint.New("write -force", "roles/"+users[0]))}, nil
}

// excludedRoles warns of roles that use the connection and are not in its allowed_roles.
func (b *backend) excludedRoles(ctx context.Context, name string, c *connection.Record) ([]hint.Text, error) {
	users, err := b.roles.Of(ctx, name)
	if err != nil {
		return nil, err
	}
	users = slices.DeleteFunc(users, c.Allows)
	if len(users) == 0 {
		return nil, nil
	}
	return []hint.Text{hint.Textf("allowed_roles leaves out roles that use this connection, whose passwords can no longer be read: %s",
		request.Summarize(users))}, nil
}

func (b *backend) deleteConfig(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	defer b.connections.Lock(name)()
	c, err := b.connections.Get(ctx, name)
	if err != nil || c == nil {
		return nil, err
	}
	users, err := b.roles.Of(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(users) > 0 {
		return nil, request.Conflictf("connection %s is used by roles; delete them first: %s; that is: %s", name, request.Summarize(users),
			hint.New("delete", "roles/"+users[0]))
	}
	hosts, err := b.hosts.Names(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(hosts) > 0 {
		return nil, request.Conflictf("connection %s serves hosts; delete them first (%d): %s; that is: %s", name, len(hosts),
			request.Summarize(hosts), hint.New("delete", "hosts/"+hosts[0]))
	}
	use, err := b.core.ConnectionUse(ctx, name)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	if use.Leases > 0 {
		return nil, request.Conflictf("accounts of connection %s have %d leases; revoke them first, or wait until they end (%d accounts: %s)",
			name,
			use.Leases, use.Accounts, hint.New("list", "accounts/"+name))
	}
	if b.root.IsRunning(name) || c.RootRotation != nil {
		return nil, request.Conflictf("rotate-root/%s is not finished; finish it: %s; or write other credentials to config/%s to abandon it",
			name,
			hint.New("write -force", rotateRootPrefix+name), name)
	}
	if err := b.connections.Remove(ctx, name); err != nil {
		return nil, err
	}
	b.core.ForgetConnection(name)
	var warnings []hint.Text
	if left := c.LeftoverIDs(); len(left) > 0 {
		warnings = append(warnings,
			hint.Plain("failed rotations of this connection's credential have left credentials behind; delete them at the cloud: "+
				request.Summarize(left)))
	}
	if use.Owed > 0 {
		warnings = append(warnings, hint.Textf("accounts that were to be rotated, which does not happen without the connection: %d; clients "+
			"whose leases have ended may still know their passwords; to let them be rotated, write the connection again: %s", use.Owed,
			hint.New("list", "accounts/"+name)))
	}
	return request.Warned(warnings), nil
}
