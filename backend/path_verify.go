package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// verifyConnectionPrefix begins a path that needs sudo.
const verifyConnectionPrefix = "verify-connection/"

// driftField is drift_action of a check that is asked for.
func driftField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, DisplayAttrs: request.DisplayName("Drift action"),
		AllowedValues: []any{string(rotation.DriftReport), string(rotation.DriftRestore), string(rotation.DriftRotate)},
		Description: "What to do, this time, when a server has another password than Vault: report, restore or rotate, as in roles/. " +
			"Default: the role's."}
}

// driftAction reads drift_action of a check that is asked for.
func driftAction(data *framework.FieldData) (rotation.DriftAction, error) {
	action := rotation.DriftAction(data.Get("drift_action").(string))
	switch action {
	case "", rotation.DriftReport, rotation.DriftRestore, rotation.DriftRotate:
		return action, nil
	}
	return "", request.Invalidf("drift_action: %.40q is unknown; use %s, %s or %s", action, rotation.DriftReport, rotation.DriftRestore,
		rotation.DriftRotate)
}

func (b *backend) pathVerifyInstance() *framework.Path {
	return &framework.Path{
		Pattern: "verify/" + framework.GenericNameRegex("role") + "/" + framework.GenericNameRegex("instance_id") + "$",
		Fields: map[string]*framework.FieldSchema{
			"role":         request.NameField("Name of the role."),
			"instance_id":  request.NameField("Id of one of the role's instances."),
			"drift_action": driftField(),
			"wait":         request.WaitField(),
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "verify",
			OperationSuffix: "role-instance"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.verifyInstance,
				Summary:     "Check whether a server still has the password that Vault hands out.",
				Description: "Orders the check and answers with the account's state, at once or after waiting for the check's end.",
				Responses:   request.DataResponses("The account, and what is known from checks.", verifyResponse()),
			}),
		},
		HelpSynopsis:    verifyInstanceSynopsis,
		HelpDescription: verifyDescription,
	}
}

func (b *backend) pathVerifyRole() *framework.Path {
	return b.pathVerifyAll("verify/"+framework.GenericNameRegex("role")+"$", "role", verifyRoleSynopsis,
		request.NameField("Name of the role."), framework.PathOperation{
			Callback:    b.verifyRole,
			Summary:     "Check the passwords of all servers of a role.",
			Description: "Begins a campaign of checks and answers at once. What they show is in accounts/ and report.",
		})
}

func (b *backend) pathVerifyConnection() *framework.Path {
	return b.pathVerifyAll(verifyConnectionPrefix+framework.GenericNameRegex("name")+"$", "name", verifyConnectionSynopsis,
		request.NameField("Name of the connection."), framework.PathOperation{
			Callback:    b.verifyConnection,
			Summary:     "Check the passwords of all servers of a connection.",
			Description: "Begins a campaign of checks and answers at once. What they show is in accounts/ and report. Needs sudo.",
		})
}

// pathVerifyAll is a path for the checks of many accounts; what is the name of the field that says of which.
func (b *backend) pathVerifyAll(pattern, what, synopsis string, name *framework.FieldSchema, op framework.PathOperation) *framework.Path {
	op.Responses = request.DataResponses("The checks are ordered.", map[string]*framework.FieldSchema{
		"campaign": campaignField(),
		"accounts_to_check": {Type: framework.TypeInt, Required: true,
			Description: "How many accounts are to be checked. A rotation goes first."},
		"not_checkable": {Type: framework.TypeInt, Required: true,
			Description: "How many accounts nothing can look at: their role has no check_method, or they have no password yet."},
	})
	suffix := what
	if what == "name" {
		suffix = "connection"
	}
	return &framework.Path{
		Pattern:      pattern,
		Fields:       map[string]*framework.FieldSchema{what: name, "drift_action": driftField()},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "verify", OperationSuffix: suffix},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(op),
		},
		HelpSynopsis:    synopsis,
		HelpDescription: verifyDescription,
	}
}

func (b *backend) verifyInstance(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := request.Wait(data)
	if err != nil {
		return nil, err
	}
	action, err := driftAction(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.usableRole(ctx, name)
	if err != nil {
		return nil, err
	}
	id, err := b.accountOf(ctx, name, r, data.Get("instance_id").(string))
	if err != nil {
		return nil, err
	}
	if err := b.checkBound(ctx, name, id); err != nil {
		return nil, err
	}
	view, err := b.core.Verify(ctx, id, action, wait)
	if err != nil {
		return nil, accountError(name, id, err)
	}
	return &logical.Response{Data: verifyData(view)}, nil
}

func (b *backend) verifyRole(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	action, err := driftAction(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.usableRole(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(r.Users) == 0 {
		return nil, noInstance(name)
	}
	return b.verifyAll(ctx, campaign.Order{Kind: campaign.VerifyRole, Role: name, Connection: r.Connection, Action: action,
		By: requesterOf(req)})
}

func (b *backend) verifyConnection(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	action, err := driftAction(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("name").(string)
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if !d.CanCheck() {
		return nil, request.Conflictf("provider %s cannot look at a server's password, so no account of connection %s can be checked",
			c.Provider, name)
	}
	return b.verifyAll(ctx, campaign.Order{Kind: campaign.VerifyConnection, Connection: name, Action: action, By: requesterOf(req)})
}

func (b *backend) verifyAll(ctx context.Context, order campaign.Order) (*logical.Response, error) {
	list, not, err := b.core.OrderChecks(ctx, order.Connection, order.Role)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	resp := &logical.Response{Data: map[string]any{"accounts_to_check": len(list), "not_checkable": not}}
	if _, err := b.begin(ctx, order, list, nil, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// verifyData is what is known from checks of an account, with what it takes to make sense of that.
func verifyData(v *rotation.View) map[string]any {
	data := verifiedData(v)
	data["username"], data["state"], data["current_version"] = v.ID.Username, v.State, currentVersion(v)
	return data
}

// verifyResponse is the schema of verifyData.
func verifyResponse() map[string]*framework.FieldSchema {
	all := verifiedResponse()
	all["username"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "The user."}
	all["state"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: "The account's state, as in accounts/."}
	all["current_version"] = &framework.FieldSchema{Type: framework.TypeInt, Required: true, Description: "Number of the current version."}
	return all
}

// verifiedData is what accounts/ shows of checks.
func verifiedData(v *rotation.View) map[string]any {
	data := map[string]any{"drifted": v.Drifted}
	c := v.Check
	setText(data, "check_result", string(c.Result))
	if c.Version > 0 {
		data["check_version"] = c.Version
	}
	setText(data, "check_user_state", string(c.User))
	if !c.Reason.IsZero() {
		data["check_reason"] = c.Reason
	}
	setTime(data, "checked_time", request.Timestamp(c.Time))
	setTime(data, "check_ordered_time", request.Timestamp(c.Asked))
	if v.Settings.VerifyPeriod > 0 && !c.Time.IsZero() {
		next := c.Time.Add(v.Settings.VerifyPeriod)
		if c.NotBefore.After(next) {
			next = c.NotBefore
		}
		setTime(data, "next_check", request.Timestamp(next.Truncate(time.Second)))
	}
	setTime(data, "check_not_before", request.Timestamp(c.NotBefore))
	if c.Experimental {
		data["check_experimental"] = true
	}
	return data
}

// verifiedResponse is the schema of verifiedData.
func verifiedResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Description: description}
	}
	return map[string]*framework.FieldSchema{
		"drifted": {Type: framework.TypeBool, Required: true,
			Description: "Whether the last check found that the server does not have the current version. It is then not handed out, unless " +
				"the role has read_drifted=true."},
		"check_result": text("What the last check found: matches, matches_version (another version of the account, see check_version), " +
			"differs, locked, disabled, expired, login_off, no_password, no_user or unknown. Missing if there was none."),
		"check_version": {Type: framework.TypeInt, Description: "The version that the server had; missing if it was none of the account's."},
		"check_user_state": text(
			"What keeps the user from logging in with a password: locked, disabled, expired, login_off (for this user or, as sshd says, " +
				"for the whole server), no_password or no_user. Missing if nothing is known to."),
		"check_reason": text("Why the result is unknown and what to do, or more about the user."),
		"checked_time": request.TimeField(false, "When the server was checked last"),
		"check_ordered_time": request.TimeField(false,
			"Only while a check that was ordered has not been made: since when it is ordered"),
		"check_not_before": request.TimeField(false,
			"Where a check is a login, so that a wrong password counts towards the user's lockout (Windows): before when none is made again"),
		"check_experimental": {Type: framework.TypeBool,
			Description: "true where the last check's method has never been seen to work on a real server (Windows)."},
		"next_check": request.TimeField(false, "With verify_period: when the server is checked next, at the earliest"),
	}
}
