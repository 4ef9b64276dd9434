package backend

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
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
	c, _, err := b.connectionOf(ctx, name)
	if err != nil {
		return nil, err
	}
	var age time.Duration
	if data.Get("after").(string) != "" {
		age = discoveryAge // a further page of what was found for the first
	}
	found, err := b.discoveries.instances(ctx, b, name, c, age)
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

// discoveryAge is how long a connection's list of instances serves further pages and further roles
// of one round.
const discoveryAge = 30 * time.Second

// discoveries remember for a moment what connections see.
type discoveries struct {
	mu sync.Mutex
	by map[string]discovery
}

type discovery struct {
	at    time.Time
	of    *connection // the configuration that was asked; a changed one is another
	found map[string]cloud.Instance
}

// instances returns, by id, all instances that the connection serves, as they were no longer than
// maxAge ago. Nobody changes the map.
func (d *discoveries) instances(ctx context.Context, b *backend, name string, c *connection,
	maxAge time.Duration) (map[string]cloud.Instance, error) {
	d.mu.Lock()
	known, ok := d.by[name]
	d.mu.Unlock()
	if ok && known.of == c && b.clock.now().Sub(known.at) < maxAge {
		return known.found, nil
	}
	provider, err := b.core.Provider(ctx, name)
	if err != nil {
		return nil, err
	}
	now := b.clock.now()
	listed, err := b.asking.find(ctx, name, provider, c.RequiredTags)
	if err != nil {
		return nil, err
	}
	found := make(map[string]cloud.Instance, len(listed))
	for _, i := range listed {
		if i.State != cloud.StateGone && request.IsName(i.ID) { // an id becomes part of paths
			found[i.ID] = i
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by == nil {
		d.by = map[string]discovery{}
	}
	d.by[name] = discovery{now, c, found}
	return found, nil
}

// expire forgets what is too old to be used.
func (d *discoveries) expire(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, known := range d.by {
		if now.Sub(known.at) >= discoveryAge {
			delete(d.by, name)
		}
	}
}

// withTags are the instances that carry all the tags, sorted by id.
func withTags(found map[string]cloud.Instance, tags map[string]string) []cloud.Instance {
	var some []cloud.Instance
	for _, i := range found {
		if i.HasTags(tags) {
			some = append(some, i)
		}
	}
	slices.SortFunc(some, cloud.CompareInstances)
	return some
}
