package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func (b *backend) pathDiscover() *framework.Path {
	return &framework.Path{
		Pattern: "discover/" + framework.GenericNameRegex("connection") + "/?$",
		Fields:  request.PageFields(map[string]*framework.FieldSchema{"connection": request.NameField("Name of the connection.")}),
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "discover",
			OperationSuffix: "instances"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.discover,
				Summary:     "List the instances that a connection can see.",
				Description: "Asks the cloud for all instances that have the connection's required_tags, with or without a role.",
				Responses: request.DataResponses("The instances.", map[string]*framework.FieldSchema{
					"keys": {Type: framework.TypeStringSlice, Required: true, Description: "Instance ids, sorted."},
					"key_info": {Type: framework.TypeMap, Required: true,
						Description: "By instance id: name, platform, state, cloud_state (in the cloud's own words), key_name, tags."},
				}),
			}),
		},
		HelpSynopsis:    discoverSynopsis,
		HelpDescription: discoverDescription,
	}
}

func (b *backend) discover(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("connection").(string)
	c, _, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	var age time.Duration
	if data.Get("after").(string) != "" {
		age = connection.ListingAge // a further page of what was found for the first
	}
	found, err := b.connections.Instances(ctx, name, c, age)
	if err != nil {
		return nil, request.VaultError("connection "+name+" cannot list its instances", err)
	}
	ids := make([]string, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	if ids, err = request.PageOf(ids, data); err != nil {
		return nil, err
	}
	info := make(map[string]any, len(ids))
	for _, id := range ids {
		i := found[id]
		tags := i.Tags
		if tags == nil {
			tags = map[string]string{}
		}
		info[id] = map[string]any{
			"name": i.Name, "platform": string(i.Platform), "state": string(i.State), "cloud_state": i.CloudState,
			"key_name": i.KeyName, "tags": tags,
		}
	}
	return logical.ListResponseWithInfo(ids, info), nil
}
