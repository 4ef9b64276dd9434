package backend

import (
	"context"
	"maps"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func (b *backend) pathCheck() *framework.Path {
	return &framework.Path{
		Pattern: "check/" + framework.GenericNameRegex("name") + "$",
		Fields: map[string]*framework.FieldSchema{
			"name": request.NameField("Name of the connection."),
			"detailed": {Type: framework.TypeBool, Query: true,
				Description: "Also answer with details, which has everything for programs. Default: false."},
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "check",
			OperationSuffix: "connection"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readCheck,
				Summary:     "Check which permissions a connection's credentials have.",
				Description: "Tries, or asks about, each permission that cloudpw may need, and changes nothing. Calls the cloud.",
				Responses: request.DataResponses("What the credentials may do.", withCredential(map[string]*framework.FieldSchema{
					"verdict": {Type: framework.TypeString, Required: true, Description: "granted: all required permissions are there; denied: a " +
						"required permission is missing; unknown: this cannot be determined."},
					"missing": {Type: framework.TypeStringSlice, Required: true, Description: "The required permissions that are denied."},
					"summary": {Type: framework.TypeString, Required: true, Description: "For people, a line of text for each permission: ok, " +
						"missing or unknown, and what a missing one is needed for."},
					"policy_to_add": {Type: framework.TypeString, Required: true, Description: "The policy text that grants what is missing. " +
						"Permissions that the summary calls optional are in it, too; leave out what you do not need. Empty: nothing is missing."},
					"details": {Type: framework.TypeMap, Description: "Only with detailed=true, for programs: permissions (action, purpose, " +
						"required, verdict (granted, denied or unknown), message, and policy, the text that grants it)."},
				})),
				// The nodes' calls share the limiter of the active one.
			}),
		},
		HelpSynopsis:    checkSynopsis,
		HelpDescription: checkDescription,
	}
}

func (b *backend) readCheck(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	provider, err := b.core.Provider(ctx, name)
	if err != nil {
		return nil, request.VaultError("connection "+name, err)
	}
	checker, ok := provider.(cloud.PermissionChecker)
	if !ok {
		return nil, request.Invalidf(
			"provider %s cannot tell what credentials may do; a write of config/%s verifies that they work, and each later "+
				"denial names the missing permission", d.Name, name)
	}
	permissions, err := connection.Ask(ctx, b.connections, name, checker.CheckPermissions)
	if err != nil {
		return nil, request.VaultError("connection "+name+": "+d.Title+
			" does not accept the credentials, so their permissions cannot be determined", err)
	}
	answer := checkData(permissions)
	answer["summary"] = checkSummary(request.Mount(req), name, permissions)
	answer["policy_to_add"] = policyToAdd(permissions)
	if data.Get("detailed").(bool) {
		answer["details"] = map[string]any{"permissions": permissionsData(name, permissions)}
	}
	maps.Copy(answer, b.askedCredential(ctx, name, c, d, provider))
	return &logical.Response{Data: answer}, nil
}

// withCredential adds the fields about the connection's credential.
func withCredential(fields map[string]*framework.FieldSchema) map[string]*framework.FieldSchema {
	maps.Copy(fields, connection.CredentialSchemas())
	return fields
}

// askedCredential asks the cloud about the connection's credential, and keeps the answer where this node may.
func (b *backend) askedCredential(ctx context.Context, name string, c *connection.Record, d cloud.Descriptor,
	provider cloud.Provider) map[string]any {
	told, err := connection.Ask(ctx, b.connections, name, func(ctx context.Context) (*connection.ToldCredential, error) {
		return connection.AskCredential(ctx, provider, b.clock.now()), nil
	})
	if err == nil && told != nil && len(connection.SecretFields(d, c)) > 0 {
		asked := c
		c = c.Clone()
		c.Tell(told)
		if b.WriteSafeReplicationState() {
			err = b.connections.StoreTold(ctx, name, asked, told)
		}
	}
	if err != nil {
		b.Logger().Warn("what the cloud tells of a credential could not be stored", "connection", name, "error", err)
	}
	return c.CredentialData(d, b.clock.now())
}

// checkData sums the permissions up.
func checkData(permissions []cloud.Permission) map[string]any {
	verdict := cloud.PermissionGranted
	missing := []string{}
	for _, p := range permissions {
		switch {
		case !p.Required || p.Verdict == cloud.PermissionGranted:
		case p.Verdict == cloud.PermissionDenied:
			missing = append(missing, p.Action)
			verdict = cloud.PermissionDenied
		case verdict == cloud.PermissionGranted:
			verdict = cloud.PermissionUnknown
		}
	}
	return map[string]any{"verdict": string(verdict), "missing": missing}
}

// permissionsData are the permissions for programs.
func permissionsData(connection string, permissions []cloud.Permission) []map[string]any {
	all := make([]map[string]any, 0, len(permissions))
	for _, p := range permissions {
		all = append(all, map[string]any{
			"action": p.Action, "purpose": p.Purpose, "required": p.Required,
			"verdict": string(p.Verdict), "message": hint.Within(p.Message, cloud.CheckHint(connection)), "policy": p.Policy,
		})
	}
	return all
}

// checkSummary is a line for each permission. It is one text, as the summary of status is.
func checkSummary(mount, connection string, permissions []cloud.Permission) string {
	var lines []string
	for _, p := range permissions {
		line := "ok " + p.Action
		if p.Verdict != cloud.PermissionGranted {
			line = "missing " + p.Action
			if p.Verdict != cloud.PermissionDenied {
				line = "unknown " + p.Action
			}
			if !p.Required {
				line += " (optional)"
			}
			line += ": needed to " + p.Purpose
			if p.Verdict != cloud.PermissionDenied && p.Message != "" {
				line += "; " + hint.Within(p.Message, cloud.CheckHint(connection)).At(mount)
			}
		}
		lines = append(lines, shortened(line, summaryLineWidth))
	}
	return strings.Join(lines, "\n")
}

// policyToAdd is the policy text that grants all that is missing.
func policyToAdd(permissions []cloud.Permission) string {
	var policies []string
	for _, p := range permissions {
		if p.Verdict == cloud.PermissionDenied {
			policies = append(policies, p.Policy)
		}
	}
	return cloud.MergePolicies(policies)
}
