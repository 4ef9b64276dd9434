package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/vault/api"
)

// playground is what runs: the simulated clouds, a Vault with the engine, and the people who have an account there.
type playground struct {
	dir    string
	world  *world
	vault  *server
	people map[string]*api.Client
	opened *process // the console; nil: there is none
}

// write is what an administrator types.
func (p *playground) write(ctx context.Context, path string, fields map[string]any) error {
	_, err := write(ctx, p.vault.root, path, fields)
	return err
}

// write writes to the engine as somebody.
func write(ctx context.Context, as *api.Client, path string, fields map[string]any) (*api.Secret, error) {
	answer, err := as.Logical().WriteWithContext(ctx, mount+"/"+path, fields)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return answer, nil
}

// setUp writes connections, the key, roles and users.
func (p *playground) setUp(ctx context.Context, docs string) error {
	info := p.world.sim.Info()
	for _, g := range fleet() {
		fields := info.Connection(g.cloud)
		if err := p.write(ctx, "config/"+g.place(), fields); err != nil {
			return err
		}
	}
	if err := p.write(ctx, "keys/demo-key", map[string]any{"private_key": p.world.private}); err != nil {
		return err
	}
	for _, g := range fleet() {
		fields := maps.Clone(g.fields)
		fields["connection"], fields["instance_ids"] = g.place(), p.world.ids(g)
		if err := p.write(ctx, "roles/"+g.role, fields); err != nil {
			return err
		}
	}
	var err error
	p.people, err = enrol(ctx, p.vault, docs)
	return err
}

// slow has the connection of the role batch ask its cloud so seldom that people can watch a campaign.
func (p *playground) slow(ctx context.Context) error {
	return p.write(ctx, "config/batch-aws", map[string]any{"max_requests_per_second": 0.2})
}
