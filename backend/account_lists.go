package backend

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// listAccounts lists names from storage, with details of those on the page. The details come from memory, so that they cost
// little; only the accounts of one instance are read if they are not there yet.
func (b *backend) listAccounts(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	var names []string // of the path
	for _, capture := range []string{"connection", "instance_id"} {
		if _, ok := data.Schema[capture]; ok {
			name := data.Get(capture).(string)
			if err := request.CheckName(capture, name); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	prefix := ""
	if len(names) > 0 {
		prefix = strings.Join(names, "/") + "/"
	}
	listed, err := b.core.List(ctx, prefix)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	page, err := request.PageOf(listed, data)
	if err != nil {
		return nil, err
	}
	var info map[string]any
	switch len(names) {
	case 0:
		info = b.connectionInfo(page)
	case 1:
		info = b.instanceInfo(names[0], page)
	default:
		if info, err = b.userInfo(ctx, names[0], names[1], page); err != nil {
			return nil, err
		}
	}
	return logical.ListResponseWithInfo(page, info), nil
}

// connectionInfo tells about the accounts of connections.
func (b *backend) connectionInfo(page []string) map[string]any {
	info := map[string]any{}
	for _, a := range b.core.Briefs("", onPage(page, func(id rotation.ID) string { return id.Connection })) {
		of, ok := info[a.Connection].(map[string]any)
		if !ok {
			of = map[string]any{"provider": a.Provider, "accounts": 0, "states": map[string]int{}}
			info[a.Connection] = of
		}
		of["accounts"] = of["accounts"].(int) + 1
		of["states"].(map[string]int)[a.State]++
	}
	return info
}

// instanceInfo tells about the accounts of instances.
func (b *backend) instanceInfo(connection string, page []string) map[string]any {
	type instance struct {
		name, address string
		roles         map[string]bool
		accounts      int
		states        map[string]int
	}
	found := map[string]*instance{}
	for _, a := range b.core.Briefs(connection, onPage(page, func(id rotation.ID) string { return id.InstanceID })) {
		of := found[a.InstanceID]
		if of == nil {
			of = &instance{roles: map[string]bool{}, states: map[string]int{}}
			found[a.InstanceID] = of
		}
		if a.Shown.Name != "" {
			of.name = a.Shown.Name
		}
		if address := addressOf(a.Shown); address != "" {
			of.address = address
		}
		if a.Role != "" {
			of.roles[a.Role] = true
		}
		of.accounts++
		of.states[a.State]++
	}
	info := make(map[string]any, len(found))
	for id, of := range found {
		info[id] = map[string]any{"name": of.name, "address": of.address, "roles": orNone(slices.Sorted(maps.Keys(of.roles))),
			"accounts": of.accounts, "states": of.states}
	}
	return info
}

// userInfo tells about the accounts of one instance.
func (b *backend) userInfo(ctx context.Context, connection, instanceID string, page []string) (map[string]any, error) {
	info := make(map[string]any, len(page))
	now := b.core.Now()
	for _, username := range page {
		id := rotation.ID{Connection: connection, InstanceID: instanceID, Username: username}
		view := b.core.Glance(id)
		if view == nil {
			var err error
			if view, err = b.core.Inspect(ctx, id); err != nil {
				return nil, request.VaultError("", err)
			}
		}
		if view != nil {
			info[username] = b.accountRow(view, now)
		}
	}
	return info, nil
}

// onPage keeps accounts whose part of the name is on a page, which is sorted.
func onPage(page []string, part func(rotation.ID) string) func(rotation.ID) bool {
	return func(id rotation.ID) bool {
		_, found := slices.BinarySearch(page, part(id))
		return found
	}
}
