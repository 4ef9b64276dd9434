package backend

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// An earlier key is one that a write of keys/<name> has replaced. It is kept while an account of a role
// waits for an initial password under that name, since the instance may have been launched with it.

const (
	// maxEarlierKeys keeps the entry far below the limit of Vault's storage: 8192 bits take 6.4 KiB.
	maxEarlierKeys = 10
	// earlierKeyStays is the least time for which a replaced key is kept, and dropInterval how often
	// those that nothing needs are looked for.
	earlierKeyStays = time.Hour
	dropInterval    = time.Hour
)

// earlierKey is a replaced key as stored.
type earlierKey struct {
	PEM      string    `json:"pem"`
	Created  time.Time `json:"created"`
	Replaced time.Time `json:"replaced"`
}

// earlierKeys parses the replaced keys, the newest first.
func (k *privateKey) earlierKeys() ([]*password.PrivateKey, error) {
	keys := make([]*password.PrivateKey, 0, len(k.Earlier))
	for _, e := range k.Earlier {
		parsed, err := password.ParsePrivateKey([]byte(e.PEM), nil)
		if err != nil {
			return nil, err
		}
		keys = append(keys, parsed)
	}
	return keys, nil
}

// replaced is what a new key keeps of the one that it replaces, and of those before.
func (k *privateKey) replaced(by *password.PrivateKey, now time.Time) []earlierKey {
	if k == nil {
		return nil
	}
	kept := []earlierKey{{PEM: k.PEM, Created: k.Created, Replaced: now}}
	text := string(by.PEM())
	for _, e := range k.Earlier {
		if e.PEM != text { // else it is back in use
			kept = append(kept, e)
		}
	}
	return kept
}

// earlierData is what reading a key tells of those that it has replaced.
func (k *privateKey) earlierData() ([]map[string]any, error) {
	data := []map[string]any{}
	keys, err := k.earlierKeys()
	if err != nil {
		return nil, err
	}
	for i, e := range k.Earlier {
		data = append(data, map[string]any{
			"fingerprints": keys[i].Fingerprints().Map(), "created_time": request.Timestamp(e.Created),
			"replaced_time": request.Timestamp(e.Replaced),
		})
	}
	return data, nil
}

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
	names, err := store.ListNames(ctx, b.storage, keyPrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := b.dropEarlier(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) dropEarlier(ctx context.Context, name string) error {
	defer b.keyLocks.Lock(name)()
	stored, _, err := b.loadKey(ctx, name)
	if err != nil || stored == nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(stored.Earlier), func(e earlierKey) bool {
		return b.clock.now().Sub(e.Replaced) >= earlierKeyStays
	})
	if len(kept) == len(stored.Earlier) {
		return nil
	}
	if waiting, err := b.awaitsKey(ctx, name, stored); err != nil || waiting != nil {
		return err
	}
	stored.Earlier = kept
	if err := b.putKey(ctx, name, stored); err != nil {
		return err
	}
	b.Logger().Info("dropped replaced keys that no account needs any more", "key", name)
	return nil
}

// awaitsKey returns an account of a role that waits for an initial password which keys/<name> is to decrypt and
// may decrypt, or nil if there is none.
func (b *backend) awaitsKey(ctx context.Context, name string, key *privateKey) (*rotation.View, error) {
	roles, err := b.rolesThat(ctx, func(r *role) bool { return (r.Key == "" || r.Key == name) && key.allows(r.Connection) })
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
		for _, instance := range r.instances() {
			view, err := b.core.Inspect(ctx, r.account(instance))
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
	name, err := keyNameFor(v.Settings.Key, v.ID.InstanceID, v.Facts.KeyName)
	return err == nil && name == key
}
