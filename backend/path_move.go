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

// An account comes from one role to another, or to another connection, on the word of somebody who may write the account, or of an
// administrator who lets a role take over what its selection matches. Tags alone move nothing, since whoever
// may write a tag at the cloud need not be one whom a Vault policy trusts.

// movedFrom is the connection in the path of accounts/.../move, whose field connection is the one to which the account moves.
const movedFrom = "account_connection"

// movePath is the part of that path which names the account.
var movePath = framework.GenericNameRegex(movedFrom) + "/" + accountInstance + "/" + accountUsername

func (b *backend) pathAccountMove() *framework.Path {
	fields := accountCaptures()
	fields[movedFrom] = request.NameField("Name of the account's connection.")
	fields["role"] = &framework.FieldSchema{Type: framework.TypeString,
		DisplayAttrs: &framework.DisplayAttributes{Name: "Role", Value: "ROLE"},
		Description: "The role that may have the account, of the same connection, or of that in connection. It may be written later. The name " +
			"of the role that the account has, or had last, cancels an earlier permission. Required unless connection is given."}
	fields["connection"] = &framework.FieldSchema{Type: framework.TypeString, DisplayAttrs: request.DisplayName("Connection"),
		Description: "Another connection of the same cloud account, to which the account moves at once, with all its versions. " +
			"Default: its own."}
	return &framework.Path{
		Pattern:      "accounts/" + movePath + "/move$",
		Fields:       fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "move", OperationSuffix: "account"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.moveAccount,
				Summary:  "Let an account move to another role.",
				Description: "The account moves at once if that role's instance_tags match its instance, else when that role is written so that it " +
					"has the instance. Its leases end, and a new password is set before a reader of the new role gets one. With connection, it " +
					"first moves to that connection, and belongs to no role then.",
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
	fields["account"] = &framework.FieldSchema{Type: framework.TypeString, Required: true,
		Description: "Name of the account, which another connection changes."}
	for _, field := range strings.Fields("role last_role move_to state due_reason due_since") {
		fields[field] = all[field]
	}
	return fields
}

func (b *backend) moveAccount(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id, ok := accountIDWith(data, movedFrom)
	view, err := b.accountWith(ctx, id, ok)
	if err != nil {
		return nil, err
	}
	m := accountMove{before: view, name: data.Get("role").(string)}
	connection := data.Get("connection").(string)
	if connection == "" {
		connection = view.ID.Connection
	}
	if err := request.CheckName("connection", connection); err != nil {
		return nil, err
	}
	elsewhere := connection != view.ID.Connection
	if m.name != "" || !elsewhere {
		if m.role, err = b.movesTo(ctx, connection, m.name); err != nil {
			return nil, err
		}
	}
	if elsewhere {
		m.after, m.warnings, err = b.moveToConnection(ctx, view, connection, m.name)
	} else {
		m.after, err = b.core.Move(ctx, view.ID, m.name)
	}
	if err != nil {
		return nil, request.VaultError("", err)
	}
	if m.name != "" {
		if err := b.finishMove(ctx, &m); err != nil {
			return nil, err
		}
	}
	moved := map[string]any{"account": m.after.ID.String()}
	all := accountData(m.after)
	for field := range movedResponse() {
		if value, ok := all[field]; ok {
			moved[field] = value
		}
	}
	return request.Warn(&logical.Response{Data: moved}, m.warnings...), nil
}

// accountMove is the move of an account to a role.
type accountMove struct {
	name          string       // of the role
	role          *role.Record // nil: there is none yet
	before, after *rotation.View
	warnings      []hint.Text
}

// finishMove has a role that exists take the account, and warns of what is missing.
func (b *backend) finishMove(ctx context.Context, m *accountMove) (err error) {
	id, taken := m.after.ID, true
	if m.after.Role != m.name && m.role != nil && m.role.InstanceTags != nil {
		if _, _, err := b.roles.Resolve(ctx, m.name); err != nil {
			taken = false
			m.warnings = append(m.warnings,
				hint.Textf("the account may move, and role %s has not taken it yet, which is tried again within ten minutes: %s", m.name, err))
		}
		after, err := b.core.Inspect(ctx, id)
		if err != nil || after == nil {
			return request.VaultError("", err)
		}
		m.after = after
	}
	switch {
	case m.after.Role == m.name && (m.before.Role != m.name || m.before.ID != id):
		b.Logger().Info("an account was moved to another role", "account", id.String(), "from", owner(m.before), "to", m.name)
		if !m.after.Settings.CanReset && currentVersion(m.after) > 0 && owner(m.before) != m.name {
			m.warnings = append(m.warnings,
				hint.Textf("role %s cannot have a password set, so its readers are given none that those of another role know: "+
					"change it inside the server, then record it: %s", m.name, id.ImportHint()))
		}
	case m.after.Role != m.name && taken:
		how := hint.New("read", "roles/"+m.name)
		if m.role == nil { // it is written with more fields, as its mode and the cloud want
			how = hint.New("write", "roles/"+m.name, "connection="+id.Connection, "instance_ids="+id.InstanceID)
		}
		m.warnings = append(m.warnings,
			hint.Textf("the account moves when role %s has its instance: write the role with instance_ids or instance_tags that match it: %s",
				m.name, how))
	}
	return nil
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
		return nil, request.Invalidf("role: required, unless connection is given; name the role that may have the account")
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
			"role: %s belongs to connection %s, and an account of connection %s moves to a role of that connection; write a role with "+
				"connection=%s, or, if both are the same cloud account, move the account to that connection as well, with connection=%s", name,
			r.Connection, connection, connection, r.Connection)
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
