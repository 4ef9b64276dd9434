package backend

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// importPrefix begins a path that needs sudo, as versions/ does.
const importPrefix = "import/"

// maxImported is the most characters that an imported password may have: more than any cloud's reset
// takes, and than a Windows logon does.
const maxImported = 255

func (b *backend) pathImport() *framework.Path {
	fields := accountCaptures()
	fields["password"] = &framework.FieldSchema{Type: framework.TypeString, Required: true, DisplayAttrs: request.SensitiveName("Password"),
		Description: fmt.Sprintf("The password that the server has now, at most %d characters. Required.", maxImported)}
	fields["skip_import_rotation"] = skipRotationField()
	return &framework.Path{
		Pattern: importPrefix + accountPath + "$",
		Fields:  fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "import",
			OperationSuffix: "password"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.importPassword,
				Summary:  "Record the password that a server has.",
				Description: "Makes the password a new version, the current one, and the account due unless skip_import_rotation is set. It " +
					"corrects Vault's record and sends nothing to the server. Needs sudo.",
				Responses: request.DataResponses("The state of the account.", recordedResponse()),
			}),
		},
		HelpSynopsis:    importSynopsis,
		HelpDescription: importDescription,
	}
}

func (b *backend) importPassword(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	view, err := b.accountNamed(ctx, data)
	if err != nil {
		return nil, err
	}
	value := data.Get("password").(string)
	if err := checkImported(value); err != nil {
		return nil, err
	}
	skip, err := skipsRotation(view, data)
	if err != nil {
		return nil, err
	}
	warnings := b.importWarnings(ctx, view, value)
	view, err = b.core.Import(ctx, view.ID, value, skip)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	b.Logger().Info("a password was imported", "account", view.ID.String(), "version", currentVersion(view))
	return &logical.Response{Data: rotationState(view), Warnings: warnings}, nil
}

// checkImported refuses what no server has as a password. Its errors hold no part of it.
func checkImported(value string) error {
	switch {
	case value == "":
		return request.Invalidf("password: required; give the password that the server has now")
	case utf8.RuneCountInString(value) > maxImported:
		return request.Invalidf("password: has more than %d characters", maxImported)
	}
	return request.CheckPrintable("password", value)
}

// importWarnings tells where the password is none that the cloud would set: that hints at a slip, and
// is no more, since the password was set by hand. A connection that cannot be used tells nothing.
func (b *backend) importWarnings(ctx context.Context, view *rotation.View, value string) []string {
	if !view.Settings.CanReset {
		return nil
	}
	provider, err := b.core.Provider(ctx, view.ID.Connection)
	if err != nil {
		return nil
	}
	if err := provider.PasswordRules(view.Facts.Instance(view.ID.InstanceID)).Check(value, view.ID.Username); err != nil {
		return []string{"recorded, but it breaks the cloud's rules for passwords that it sets: " + err.Error()}
	}
	return nil
}
