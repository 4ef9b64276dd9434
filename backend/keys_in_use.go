package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// dropInterval is how often replaced keys that nothing needs are looked for.
const dropInterval = time.Hour

// keyDrops remembers when earlier keys were last looked at.
type keyDrops struct {
	mu sync.Mutex
	at time.Time
}

func (d *keyDrops) begin(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.at) < dropInterval {
		return false
	}
	d.at = now
	return true
}

// dropEarlierKeys deletes replaced keys that no account needs any more. It is called now and then, where
// storage may be written.
func (b *backend) dropEarlierKeys(ctx context.Context) error {
	if !b.keyDrops.begin(b.clock.now()) {
		return nil
	}
	names, err := b.keys.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		dropped, err := b.keys.DropEarlier(ctx, name, b.clock.now(), func(key *keypair.Record) (bool, error) {
			waiting, err := b.awaitsKey(ctx, name, key)
			return waiting != nil, err
		})
		if err != nil {
			return err
		}
		if dropped {
			b.Logger().Info("dropped replaced keys that no account needs any more", "key", name)
		}
	}
	return nil
}

// awaitsKey returns an account of a role that waits for an initial password which keys/<name> is to decrypt and
// may decrypt, or nil if there is none.
func (b *backend) awaitsKey(ctx context.Context, name string, key *keypair.Record) (*rotation.View, error) {
	roles, err := b.roles.With(ctx, func(r *role.Record) bool { return (r.Key == "" || r.Key == name) && key.Allows(r.Connection) })
	if err != nil {
		return nil, err
	}
	for _, user := range roles {
		r, err := b.roles.Get(ctx, user)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		for _, instance := range r.Instances() {
			view, err := b.core.Inspect(ctx, r.Account(instance))
			if err != nil {
				return nil, request.VaultError("", err)
			}
			if view != nil && awaits(view, name) {
				return view, nil
			}
		}
	}
	return nil, nil
}

// awaits reports whether an account has no password yet and needs that key for its first. An instance
// that is gone may come back, so it counts.
func awaits(v *rotation.View, key string) bool {
	if v.Settings.Source != rotation.FromInitial || len(v.Versions) > 0 {
		return false
	}
	name, err := keypair.NameFor(v.Settings.Key, v.ID.InstanceID, v.Facts.KeyName)
	return err == nil && name == key
}

// excludedUsers warns of roles that name the key and whose connection may not use it.
func (b *backend) excludedUsers(ctx context.Context, name string, k *keypair.Record) ([]string, error) {
	users, err := b.roles.With(ctx, func(r *role.Record) bool { return r.Key == name && !k.Allows(r.Connection) })
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%s leave out the connections of roles that name this key, which read no initial password any more: %s",
		keypair.ConnectionsField, request.Summarize(users))}, nil
}
