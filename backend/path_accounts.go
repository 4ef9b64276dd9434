package backend

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Captures of the paths below accounts/.
var (
	accountConnection = framework.GenericNameRegex("connection")
	accountInstance   = framework.GenericNameRegex("instance_id")
	accountUsername   = "(?P<username>" + request.UsernamePattern + ")"
)

func (b *backend) pathAccountsConnections() *framework.Path {
	return b.pathAccountsList("accounts/?$", "account-connections", "List the connections that have accounts.",
		"The names of the connections.", "By connection: provider, accounts (how many it has), states (how many of them are in each state).",
		nil)
}

func (b *backend) pathAccountsInstances() *framework.Path {
	return b.pathAccountsList("accounts/"+accountConnection+"/?$", "account-instances",
		"List the instances of a connection that have accounts.",
		"The ids of the instances.", "By instance id: name, address, roles, accounts (how many it has), states (how many of them are in "+
			"each state).", map[string]*framework.FieldSchema{
			"connection": request.NameField("Name of the connection."),
		})
}

func (b *backend) pathAccountsUsernames() *framework.Path {
	return b.pathAccountsList("accounts/"+accountConnection+"/"+accountInstance+"/?$", "account-usernames",
		"List the users of an instance that have accounts.",
		"The user names.", "By user name, as in report: "+strings.Join(rowFields, ", ")+".", map[string]*framework.FieldSchema{
			"connection":  request.NameField("Name of the connection."),
			"instance_id": request.NameField("Id of the instance."),
		})
}

func (b *backend) pathAccountsList(pattern, suffix, summary, listed, info string,
	captures map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:      pattern,
		Fields:       request.PageFields(captures),
		DisplayAttrs: request.DisplayAttrs(suffix),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.listAccounts,
				Summary:     summary,
				Description: "Lists from Vault's records, not from the cloud; sorted.",
				Responses: request.DataResponses(listed, map[string]*framework.FieldSchema{
					"keys":     {Type: framework.TypeStringSlice, Description: "The names, sorted."},
					"key_info": infoField(info),
				}),
				// Only the active node has all accounts in memory.
			}),
		},
		HelpSynopsis:    summary,
		HelpDescription: accountsListDescription,
	}
}

func (b *backend) pathAccount() *framework.Path {
	return &framework.Path{
		Pattern:      "accounts/" + accountConnection + "/" + accountInstance + "/" + accountUsername + "$",
		DisplayAttrs: request.DisplayAttrs("account"),
		Fields: map[string]*framework.FieldSchema{
			"connection":  request.NameField("Name of the connection."),
			"instance_id": request.NameField("Id of the instance."),
			"username":    request.NameField("The user."),
			"force": {Type: framework.TypeBool, Query: true, DisplayAttrs: request.DisplayName("Force"),
				Description: "With DELETE: forget the account even if its instance exists or cannot be looked up, a role is bound to it, or its " +
					"passwords may still be needed. They are then lost. Default: false."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readAccount,
				Summary:     "Read an account's state.",
				Description: "Returns everything about the account except its passwords.",
				Responses:   request.DataResponses("The account.", accountResponse()),
				// Only the active node knows what its scheduler has tried.
			}),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback: b.deleteAccount,
				Summary:  "Forget an account and its passwords.",
				Description: "Refused while its instance exists (unless it never had a password), a role is bound to it, it has leases, or a " +
					"rotation is not settled; force=true deletes it in any case.",
				Responses: request.DeleteResponses("Vault has no record of the account any more."),
			}),
		},
		HelpSynopsis:    accountSynopsis,
		HelpDescription: accountDescription,
	}
}

// accountID is the account that the path names; false: no account can have that name, and storage
// would fail on it.
func accountID(data *framework.FieldData) (rotation.ID, bool) {
	return accountIDWith(data, "connection")
}

// accountIDWith is accountID for a path that captures the connection under another name.
func accountIDWith(data *framework.FieldData, connection string) (rotation.ID, bool) {
	id := rotation.ID{
		Connection: data.Get(connection).(string),
		InstanceID: data.Get("instance_id").(string),
		Username:   data.Get("username").(string),
	}
	return id, !strings.Contains(id.String(), "..") && text.Check(id.String()) == nil
}

func (b *backend) readAccount(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	id, ok := accountID(data)
	if !ok {
		return nil, nil
	}
	if (request.Fields{Data: data}).Has("force") {
		return nil, request.Invalidf("force: belongs to DELETE; leave it out")
	}
	view, err := b.core.Inspect(ctx, id)
	if err != nil || view == nil {
		return nil, request.VaultError("", err)
	}
	shown := accountData(view)
	if view.Role != "" && view.Settings.SharedPassword {
		group, err := b.core.Inspect(ctx, rotation.GroupID(id.Connection, view.Role))
		if err != nil {
			return nil, request.VaultError("", err)
		}
		if group != nil {
			shown["group"] = groupData(group)
		}
	}
	return &logical.Response{Data: shown}, nil
}
