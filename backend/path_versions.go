package backend

import (
	"cmp"
	"context"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// versionsPrefix begins paths that need sudo: they show passwords without a lease, and change what
// Vault holds for the truth.
const versionsPrefix = "versions/"

// Captures of the paths below versions/ and import/.
var (
	accountPath    = accountConnection + "/" + accountInstance + "/" + accountUsername
	versionCapture = `(?P<version>[1-9]\d{0,8})`
)

// accountCaptures are the fields that name an account in a path.
func accountCaptures() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"connection":  request.NameField("Name of the connection."),
		"instance_id": request.NameField("Id of the instance."),
		"username":    request.NameField("The user."),
	}
}

// versionCaptures are accountCaptures with the number of a version.
func versionCaptures() map[string]*framework.FieldSchema {
	fields := accountCaptures()
	fields["version"] = &framework.FieldSchema{Type: framework.TypeInt, Required: true, Description: "Number of the version, counted from 1."}
	return fields
}

// skipRotationField is the operator's word that a recorded password may stay.
func skipRotationField() *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Skip import rotation"),
		Description: "Let the server keep this password, instead of making the account due. Refused with shared_password. If the provider " +
			"cannot reset passwords, the account never becomes due. Default: false."}
}

func (b *backend) pathVersionsList() *framework.Path {
	return &framework.Path{
		Pattern:      versionsPrefix + accountPath + "/?$",
		Fields:       accountCaptures(),
		DisplayAttrs: request.DisplayAttrs("versions"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.listVersions,
				Summary:     "List the versions of an account's password.",
				Description: "Lists their numbers, oldest first, with their times and without the passwords. Needs sudo.",
				Responses: request.DataResponses("The versions.", map[string]*framework.FieldSchema{
					"keys": {Type: framework.TypeStringSlice, Description: "The numbers of the versions, oldest first."},
					"key_info": {Type: framework.TypeMap,
						Description: "By number: source, created_time, confirmed, current, roles, disclosed_time, disclosed_until, ended_time; and, " +
							"as in a read of the version, reason, due_since, requested_by, requested_by_entity_id, begun_time, attempts, request_id, " +
							"force_stop; and " + readersWords + "."},
				}),
			}),
		},
		HelpSynopsis:    versionsListSynopsis,
		HelpDescription: versionsListDescription,
	}
}

func (b *backend) pathVersion() *framework.Path {
	return &framework.Path{
		Pattern:      versionsPrefix + accountPath + "/" + versionCapture + "$",
		Fields:       versionCaptures(),
		DisplayAttrs: request.DisplayAttrs("version"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback: b.readVersion,
				Summary:  "Read one version with its password.",
				Description: "Returns the password that the account had then. The current version of a leased account is handed out under a lease " +
					"only, by creds/. Needs sudo.",
				Responses: request.DataResponses("The version.", versionResponse()),
			}),
		},
		HelpSynopsis:    versionSynopsis,
		HelpDescription: versionDescription,
	}
}

func (b *backend) pathVersionRestore() *framework.Path {
	fields := versionCaptures()
	fields["skip_import_rotation"] = skipRotationField()
	return &framework.Path{
		Pattern: versionsPrefix + accountPath + "/" + versionCapture + "/restore$",
		Fields:  fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "restore",
			OperationSuffix: "version"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.restoreVersion,
				Summary:  "Record that the server has the password of an older version again.",
				Description: "Makes that password a new version, the current one, and the account due unless skip_import_rotation is set. It " +
					"corrects Vault's record and sends nothing to the server. Needs sudo.",
				Responses: request.DataResponses("The state of the account.", recordedResponse()),
			}),
		},
		HelpSynopsis:    versionRestoreSynopsis,
		HelpDescription: versionRestoreDescription,
	}
}

func (b *backend) listVersions(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	numbers := make([]string, 0, len(view.Versions))
	info := make(map[string]any, len(view.Versions))
	for _, v := range versionsData(view.Versions) {
		number := strconv.Itoa(v["version"].(int))
		delete(v, "version")
		numbers = append(numbers, number)
		info[number] = v
	}
	return logical.ListResponseWithInfo(numbers, info), nil
}

func (b *backend) readVersion(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	version, err := b.core.Password(ctx, view.ID, data.Get("version").(int), clientOf(req))
	if err != nil {
		return nil, request.VaultError("", err)
	}
	b.metrics.Disclosed(view.ID.Connection, "versions")
	return &logical.Response{Data: versionAnswer(view.ID, version)}, nil
}

func (b *backend) restoreVersion(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	number := data.Get("version").(int)
	if number == currentVersion(view) {
		if !view.Settings.CanReset {
			return nil, request.Conflictf("version %d of account %s is its current one already; if the server has another password, record it: %s",
				number, view.ID, view.ID.ImportHint())
		}
		return nil, request.Conflictf("version %d of account %s is its current one already; to rotate it: %s", number, view.ID,
			hint.New("write -force", "rotate-role/"+cmp.Or(view.Role, "ROLE")+"/"+view.ID.InstanceID))
	}
	skip, err := skipsRotation(view, data)
	if err != nil {
		return nil, err
	}
	view, err = b.core.Restore(ctx, view.ID, number, skip)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	b.Logger().Info("an older version was recorded as the current one", "account", view.ID.String(), "restored", number, "version",
		currentVersion(view))
	return &logical.Response{Data: rotationState(view)}, nil
}

// accountNamed is the account that the path names, which must exist.
func (b *backend) accountNamed(ctx context.Context, data *framework.FieldData) (*rotation.View, error) {
	id, ok := accountID(data)
	return b.accountWith(ctx, id, ok)
}

// accountWith returns the account of an id, which is none unless ok.
func (b *backend) accountWith(ctx context.Context, id rotation.ID, ok bool) (*rotation.View, error) {
	if !ok {
		return nil, request.Invalidf("%q is no account: names do not contain \"..\" or characters that cannot be printed",
			text.Name(id.String(), 200))
	}
	view, err := b.core.Inspect(ctx, id)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	if view == nil {
		return nil, request.Invalidf("there is no account %s; list the accounts with: %s; or write its role first", id,
			hint.New("list", "accounts/"+id.Connection))
	}
	return view, nil
}

// skipsRotation reads skip_import_rotation. An account that shares its password is brought back to the
// shared one, whatever the operator would like.
func skipsRotation(view *rotation.View, data *framework.FieldData) (bool, error) {
	skip := data.Get("skip_import_rotation").(bool)
	if skip && view.Settings.SharedPassword && view.Role != "" {
		return false, request.Invalidf(
			"skip_import_rotation: account %s shares its password with the others of role %s, and is brought back to that; "+
				"leave it out, or take the instance off the role",
			view.ID, view.Role)
	}
	return skip, nil
}

// versionAnswer tells one version with its password.
func versionAnswer(id rotation.ID, v *rotation.Version) map[string]any {
	data := map[string]any{
		"connection":   id.Connection,
		"instance_id":  id.InstanceID,
		"username":     id.Username,
		"password":     v.Password,
		"version":      v.Number,
		"source":       string(v.Source),
		"created_time": request.Timestamp(v.Created),
		"confirmed":    v.Confirmed,
		"current":      v.Ended.IsZero(),
	}
	setTime(data, "disclosed_time", request.Timestamp(v.Disclosed))
	setTime(data, "disclosed_until", request.Timestamp(v.Until))
	setTime(data, "ended_time", request.Timestamp(v.Ended))
	addChange(data, v.Change)
	return data
}

func versionResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description}
	}
	flag := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeBool, Required: true, Description: description}
	}
	fields := map[string]*framework.FieldSchema{
		"connection":   text("The connection that serves the instance."),
		"instance_id":  text("Id of the instance."),
		"username":     text("The user."),
		"password":     text("The password of that version."),
		"version":      {Type: framework.TypeInt, Required: true, Description: "Number of the version."},
		"source":       text("Where the version comes from: initial, reset or import."),
		"created_time": request.TimeField(true, "When the version was made"),
		"confirmed": flag(
			"Whether Vault knows that the server took it. False for an initial password: nobody outside can see whether the server still has it."),
		"current":         flag("Whether it is the current version."),
		"disclosed_time":  request.TimeField(false, "When a client was first given it"),
		"disclosed_until": request.TimeField(false, "When its disclosure under leases ended or will end"),
		"ended_time":      request.TimeField(false, "When a newer version replaced it"),
	}
	maps.Copy(fields, changeResponse())
	fields["password"].DisplayAttrs = request.SensitiveName("Password")
	return fields
}

// recordedResponse is the schema of rotationState, as the answer of a restore or an import.
func recordedResponse() map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{
		"current_version": {Type: framework.TypeInt, Required: true, Description: "Number of the version that was recorded."},
	}
	all := accountResponse()
	for _, field := range strings.Fields("username state due_reason due_since last_vault_rotation last_error") {
		fields[field] = all[field]
	}
	return fields
}
