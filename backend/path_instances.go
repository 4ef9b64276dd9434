package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func (b *backend) pathInstances() *framework.Path {
	return &framework.Path{
		Pattern:      "instances/" + framework.GenericNameRegex("role") + "/?$",
		Fields:       request.PageFields(map[string]*framework.FieldSchema{"role": request.NameField("Name of the role.")}),
		DisplayAttrs: request.DisplayAttrs("instances"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.listInstances,
				Summary:     "List the instances of a role.",
				Description: "Lists the ids of the instances that the role has now. Resolves tags again, which asks the cloud.",
				Responses: request.DataResponses("The instances.", map[string]*framework.FieldSchema{
					"keys": {Type: framework.TypeStringSlice,
						Description: "Instance ids, sorted. Omitted if there are none and warnings say why; without warnings the answer is 404."},
					"key_info": {Type: framework.TypeMap, Description: "By instance id: username, shared_password; and the instance's name " +
						"and address (the private one if there is one), once Vault knows them. Omitted like keys."},
				}),
			}),
		},
		HelpSynopsis:    instancesSynopsis,
		HelpDescription: instancesDescription,
	}
}

func (b *backend) listInstances(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("role").(string)
	r, warnings, err := b.roles.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, unknownRole(name)
	}
	ids, err := request.PageOf(r.Instances(), data)
	if err != nil {
		return nil, err
	}
	info := make(map[string]any, len(ids))
	for _, id := range ids {
		one := map[string]any{"username": r.Users[id], "shared_password": r.Shared()}
		// What people call a server. A reader may see it of the servers of his role; report, which has it of all, he may not read.
		if v := b.core.Glance(r.Account(id)); v != nil {
			for field, value := range map[string]string{"name": v.Shown.Name, "address": addressOf(v.Shown)} {
				if value != "" {
					one[field] = value
				}
			}
		}
		info[id] = one
	}
	// Without ids it has no keys: Vault makes a 404 of an empty list, and would drop the warnings.
	resp := logical.ListResponseWithInfo(ids, info)
	return request.Warn(resp, warnings...), nil
}
