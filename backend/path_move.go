package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// An account comes from one role to another on the word of somebody who may write the account, or of an
// administrator who lets a role take over what its selection matches. Tags alone move nothing, since whoever
// may write a tag at the cloud need not be one whom a Vault policy trusts.

func (b *backend) pathAccountMove() *framework.Path {
	fields := accountCaptures()
	fields["role"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, DisplayAttrs: request.DisplayName("Role"),
		Description: "The role that may have the account, of the same connection. It may be written later. The name of the role that the " +
			"account has, or had last, cancels an earlier permission. Required."}
	return &framework.Path{
		Pattern:      "accounts/" + accountPath + "/move$",
		Fields:       fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "move", OperationSuffix: "account"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.moveAccount,
				Summary:  "Let an account move to another role.",
				Description: "The account moves at once if that role's instance_tags match its instance, else when that role is written so that it " +
					"has the instance. Its leases end, and a new password is set before a reader of the new role gets one.",
				Responses: request.DataResponses("The state of the account.", movedResponse()),
			}),
		},
		HelpSynopsis:    accountMoveSynopsis,
		HelpDescription: accountMoveDescription,
	}
}

func (b *backend) pathTakeOver() *framework.Path {
	return &framework.Path{
		Pattern: role.TakeOverPrefix + framework.GenericNameRegex("role") + "$",
		Fields: map[string]*framework.FieldSchema{
			"role": request.NameField("Name of the role that takes accounts over."),
			"from": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("From"),
				Description: "Name of the role that has the accounts, or had them last: only these may move. Default: any role's accounts on " +
					"instances that the role's instance_tags match."},
			"connection": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Connection"),
				Description: "With from, if neither of the roles exists: the connection of the accounts. Default: that of the role."},
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "take", OperationSuffix: "over"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.takeOverAccounts,
				Summary:  "Let a role take over the accounts of other roles.",
				Description: "Does what accounts/.../move does for one account: for all of another role, or for all that the role's instance_tags " +
					"match. Needs sudo.",
				Responses: request.DataResponses("The accounts may move.", map[string]*framework.FieldSchema{
					"accounts": {Type: framework.TypeStringSlice, Required: true, Description: "The accounts that may move, or have moved, at most 100."},
					"count":    {Type: framework.TypeInt, Required: true, Description: "How many they are, including those that are not listed."},
				}),
			}),
		},
		HelpSynopsis:    takeOverSynopsis,
		HelpDescription: takeOverDescription,
	}
}

// movedResponse is the schema of the answer of accounts/.../move.
func movedResponse() map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{}
	all := accountResponse()
	for _, field := range strings.Fields("role last_role move_to state due_reason due_since") {
		fields[field] = all[field]
	}
	return fields
}

func (b *backend) moveAccount(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	id, name := view.ID, data.Get("role").(string)
	r, err := b.movesTo(ctx, id.Connection, name)
	if err != nil {
		return nil, err
	}
	before := view
	if view, err = b.core.Move(ctx, id, name); err != nil {
		return nil, request.VaultError("", err)
	}
	var warnings []hint.Text
	if view.Role != name && r != nil && r.InstanceTags != nil {
		if _, _, err := b.roles.Resolve(ctx, name); err != nil {
			warnings = append(warnings,
				hint.Textf("the account may move, and role %s has not taken it yet, which is tried again within ten minutes: %s", name, err))
		}
		if view, err = b.core.Inspect(ctx, id); err != nil || view == nil {
			return nil, request.VaultError("", err)
		}
	}
	switch {
	case view.Role == name && before.Role != name:
		b.Logger().Info("an account was moved to another role", "account", id.String(), "from", owner(before), "to", name)
		if !view.Settings.CanReset && currentVersion(view) > 0 {
			warnings = append(warnings,
				hint.Textf("role %s cannot have a password set, so its readers are given none that those of another role know: "+
					"change it inside the server, then record it: %s", name, id.ImportHint()))
		}
	case view.Role != name && len(warnings) == 0:
		how := hint.New("read", "roles/"+name)
		if r == nil { // it is written with more fields, as its mode and the cloud want
			how = hint.New("write", "roles/"+name, "connection="+id.Connection, "instance_ids="+id.InstanceID)
		}
		warnings = append(warnings,
			hint.Textf("the account moves when role %s has its instance: write the role with instance_ids or instance_tags that match it: %s",
				name, how))
	}
	moved := map[string]any{}
	all := accountData(view)
	for field := range movedResponse() {
		if value, ok := all[field]; ok {
			moved[field] = value
		}
	}
	return request.Warn(&logical.Response{Data: moved}, warnings...), nil
}

// owner is the role that an account has, or had last.
func owner(v *rotation.View) string {
	if v.Role != "" {
		return v.Role
	}
	return v.LastRole
}

// movesTo checks the role that an account is to move to, which it returns if there is one.
func (b *backend) movesTo(ctx context.Context, connection, name string) (*role.Record, error) {
	if name == "" {
		return nil, request.Invalidf("role: required; name the role that may have the account")
	}
	if err := request.CheckName("role", name); err != nil {
		return nil, err
	}
	r, err := b.roles.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if r != nil && r.Connection != connection {
		return nil, request.Invalidf(
			"role: %s belongs to connection %s, and an account of connection %s moves to a role of that connection only, "+
				"since its passwords are kept with it; write a role with connection=%s", name, r.Connection, connection, connection)
	}
	c, err := b.connections.Get(ctx, connection)
	if err != nil {
		return nil, err
	}
	if c != nil && !c.Allows(name) {
		return nil, request.Invalidf("role: connection %s does not allow role %s; %s", connection, name, c.AllowHint(connection, name))
	}
	return r, nil
}

func (b *backend) takeOverAccounts(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name, from, connection := data.Get("role").(string), data.Get("from").(string), data.Get("connection").(string)
	for field, given := range map[string]string{"from": from, "connection": connection} {
		if given == "" {
			continue
		}
		if err := request.CheckName(field, given); err != nil {
			return nil, err
		}
	}
	if from == name {
		return nil, request.Invalidf("from: is the role %s itself; name the role that has the accounts, or had them last, or leave it out for "+
			"all that the role's instance_tags match", name)
	}
	r, err := b.roles.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	source, err := b.roles.Get(ctx, from)
	if err != nil {
		return nil, err
	}
	known, of := r, name
	if r == nil {
		known, of = source, from
	}
	if known != nil {
		if connection != "" && connection != known.Connection {
			return nil, request.Invalidf("connection: role %s belongs to connection %s, not to %s; leave it out", of, known.Connection, connection)
		}
		connection = known.Connection
	}
	switch {
	case from == "" && (r == nil || r.InstanceTags == nil):
		return nil, request.Invalidf(
			"from: required, unless there is a role %s that selects its instances by instance_tags; name the role that has "+
				"the accounts, or had them last", name)
	case connection == "":
		return nil, request.Invalidf("connection: required, since there is neither a role %s nor a role %s; name that of the accounts", name,
			from)
	}
	if r, err = b.movesTo(ctx, connection, name); err != nil {
		return nil, err
	}
	accounts, warnings, err := b.roles.TakeOver(ctx, connection, name, from, r)
	if err != nil {
		return nil, err
	}
	b.Logger().Warn("a role takes accounts over", "role", name, "from", from, "accounts", len(accounts))
	return request.Warn(&logical.Response{Data: map[string]any{"accounts": accounts[:min(len(accounts), role.MaxConflicts)],
		"count": len(accounts)}},
		warnings...), nil
}
