package rotation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// binding is the marker that makes an account unique over provider, instance id and user name,
// whichever connection leads there. It outlives a deleted account as its tombstone.
//
// There is one marker for all names that differ in case only, whatever is known of the platform: what a
// cloud tells of it may change, and the key must not change with it. Two such names are two users only
// where both are known to be on Linux (see claim.sameUser).
type binding struct {
	Schema int `json:"schema"`
	// Claims are by user name, as it was written, and by realm (see Place.realm): somebody who names the hosts of his
	// connection himself must not be able to claim a server first that is not his.
	Claims map[string]claim `json:"claims,omitempty"`
}

// claim is what a marker knows of one user name.
type claim struct {
	// Account is who holds the claim; nil after a delete.
	Account *ID `json:"account,omitempty"`
	// Linux is whether the platform was known to be Linux, which distinguishes upper and lower case.
	Linux bool `json:"linux,omitempty"`
	// InitialOverwritten remembers, past a delete, that the cloud's initial password is not the
	// server's any more, or that a client knows it whose lease has ended.
	InitialOverwritten bool `json:"initial_overwritten,omitempty"`
	// Left are the connections whose accounts have left that here. For them it counts wherever they lead by now: the
	// same server may have another name there.
	Left []string `json:"left,omitempty"`
}

// leave notes what is to be remembered of an account that gives up the claim.
func (c *claim) leave(a *Account) {
	// A leased version that a client has been given is owed a rotation: it is not read again either.
	cur := a.Current()
	given := a.Settings.Mode == Leased && cur != nil && !cur.Disclosed.IsZero()
	c.InitialOverwritten = c.InitialOverwritten || a.InitialOverwritten || a.Pending != nil || len(a.Candidates)+len(a.OldUnresolved) > 0 ||
		given || a.WasReset()
	c.Account, c.Linux = nil, a.Facts.Platform == cloud.Linux
	if !slices.Contains(c.Left, a.Connection) {
		c.Left = append(slices.Clone(c.Left), a.Connection)
	}
}

// bindingKey is the key of the marker: user names that differ in case only share one.
func bindingKey(provider string, id ID) string {
	return bindingPrefix + provider + "/" + id.InstanceID + "/" + foldedUser(id.Username)
}

// foldedUser is equal for names that may be one user's. All that may be the built-in administrator of a Windows
// share a marker: sameUser tells them apart.
func foldedUser(username string) string {
	if cloud.MayBeBuiltinAdministrator(username) {
		return cloud.BuiltinAdministrator
	}
	return cloud.FoldUsername(username)
}

func (b Binding) key() string { return bindingKey(b.Provider, b.ID) }

// claimKey names a claim in its marker. No user name has a slash.
func (b Binding) claimKey() string {
	if realm := b.Place.Realm(); realm != "" {
		return b.Username + "/" + realm
	}
	return b.Username
}

// userOf is the inverse of claimKey.
func userOf(key string) (username, realm string) {
	username, realm, _ = strings.Cut(key, "/")
	return username, realm
}

// bindingOf is the binding of an account to the place that it has noted, as far as its marker is concerned.
func bindingOf(a *Account) Binding {
	return Binding{ID: a.ID, Provider: a.Provider, Facts: a.Facts, Place: a.Place}
}

func (b Binding) linux() bool { return b.Facts.Platform == cloud.Linux }

// sameUser reports whether the claim of a user name is about the user that b means.
func (c claim) sameUser(username string, b Binding) bool {
	switch {
	case username == b.Username:
		return true
	case c.Linux && b.linux():
		return false
	case username == cloud.BuiltinAdministrator || b.Username == cloud.BuiltinAdministrator:
		return true
	}
	return cloud.FoldUsername(username) == cloud.FoldUsername(b.Username)
}

// initialOverwritten reports whether the marker knows the initial password of the user that b means to be overwritten: by
// a claim of the same realm or of the cloud's own hosts, or by one that the connection itself has left.
func (m binding) initialOverwritten(b Binding) bool {
	for key, c := range m.Claims {
		username, realm := userOf(key)
		if c.InitialOverwritten && c.sameUser(username, b) &&
			(realm == "" || realm == b.Place.Realm() || slices.Contains(c.Left, b.Connection)) {
			return true
		}
	}
	return false
}

// set replaces the claim on a user name.
func (m *binding) set(username string, c claim) {
	if m.Claims == nil {
		m.Claims = map[string]claim{}
	}
	m.Claims[username] = c
}

// checkClaim returns the marker unless another account holds it.
func (c *Core) checkClaim(ctx context.Context, b Binding) (binding, error) {
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), b.ID)
	if err != nil {
		return m, err
	}
	for _, key := range slices.Sorted(maps.Keys(m.Claims)) {
		claimed := m.Claims[key]
		username, realm := userOf(key)
		if claimed.Account == nil || *claimed.Account == b.ID || realm != b.Place.Realm() {
			continue
		}
		// A marker is written before its account: one without an account is the trace of a crash.
		holder, err := c.get(ctx, *claimed.Account)
		if err != nil {
			return m, err
		}
		if holder == nil {
			continue
		}
		claimed.Linux = holder.Facts.Platform == cloud.Linux // it may have become known since
		if !claimed.sameUser(username, b) {
			continue
		}
		if !(b.Connection == claimed.Account.Connection || b.Place.MayTell(holder.Place)) {
			return m, protocol.Errorf(Conflict,
				"user %s of instance %s is already another connection's, of which it is not known whether it is the same account of the cloud; "+
					"if the server is this connection's, somebody with sudo may take it over: %s", b.Username, b.InstanceID, b.ClaimHint())
		}
		of := "no role"
		if holder.Role != "" {
			of = "role " + holder.Role
		}
		held := protocol.Errorf(Conflict, "user %s of instance %s is already account %s of %s; one account belongs to one role", b.Username,
			b.InstanceID, claimed.Account, of)
		held.Holder, held.HolderRole = claimed.Account, holder.Role
		return m, held
	}
	return m, nil
}

// claim takes the marker for the account, and returns whether that knew the initial password to be overwritten. The
// caller holds the binding's lock.
func (c *Core) claim(ctx context.Context, b Binding) (overwritten bool, err error) {
	m, err := c.checkClaim(ctx, b)
	if err != nil {
		return false, err
	}
	overwritten = m.initialOverwritten(b)
	id := b.ID
	own := m.Claims[b.claimKey()]
	if own.Account != nil && *own.Account == id && own.Linux == b.linux() {
		return overwritten, nil
	}
	m.set(b.claimKey(), claim{Account: &id, Linux: b.linux(), InitialOverwritten: overwritten, Left: own.Left})
	return overwritten, saveBinding(ctx, c.opts.Storage, b.key(), id, m)
}

func loadBinding(ctx context.Context, s logical.Storage, key string, id ID) (binding, error) {
	var b binding
	raw, err := s.Get(ctx, key)
	if err != nil {
		return b, storageError("reading the binding of", id, err)
	}
	if raw == nil {
		return b, nil
	}
	if err := json.Unmarshal(raw.Value, &b); err != nil {
		return b, storageError("decoding the binding of", id, err)
	}
	if b.Schema > protocol.SchemaVersion {
		return b, protocol.Errorf(Unavailable, "the binding of account %s has schema %d, newer than %d: run the newer plugin version that "+
			"wrote it", id, b.Schema, protocol.SchemaVersion)
	}
	return b, nil
}

func saveBinding(ctx context.Context, s logical.Storage, key string, id ID, b binding) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	b.Schema = protocol.SchemaVersion
	raw, err := json.Marshal(b)
	if err != nil {
		return storageError("encoding the binding of", id, err)
	}
	if err := s.Put(ctx, &logical.StorageEntry{Key: key, Value: raw}); err != nil {
		return storageError("writing the binding of", id, err)
	}
	return nil
}

// bury leaves a tombstone in the place of an account that is about to be deleted. The caller holds the
// binding's lock.
func (c *Core) bury(ctx context.Context, a *Account) error {
	b := bindingOf(a)
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), a.ID)
	if err != nil {
		return err
	}
	var own []string
	for key, held := range m.Claims {
		if held.Account != nil && *held.Account == a.ID {
			own = append(own, key)
		}
	}
	if len(own) == 0 {
		if held := m.Claims[b.claimKey()]; held.Account != nil {
			return nil // another account's by now
		}
		own = []string{b.claimKey()}
	}
	for _, key := range own {
		left := m.Claims[key]
		left.leave(a)
		m.set(key, left)
	}
	return saveBinding(ctx, c.opts.Storage, b.key(), a.ID, m)
}

// TakeOver frees, on an operator's word, a user of an instance that another connection's account holds, so that a role
// of b's connection may be bound to it. It returns how many accounts have lost their role by that.
func (c *Core) TakeOver(ctx context.Context, b Binding) (n int, err error) {
	lock := locksutil.LockForKey(c.bindings, b.key())
	lock.Lock()
	defer lock.Unlock()
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), b.ID)
	if err != nil {
		return 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(m.Claims)) {
		held := m.Claims[key]
		username, realm := userOf(key)
		if held.Account == nil || *held.Account == b.ID || realm != b.Place.Realm() || !held.sameUser(username, b) {
			continue
		}
		holder, err := c.get(ctx, *held.Account)
		if err != nil {
			return n, err
		}
		if err := c.loseRole(ctx, holder); err != nil {
			return n, err
		}
		if holder != nil {
			held.leave(holder)
		}
		held.Account = nil
		m.set(key, held)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, saveBinding(ctx, c.opts.Storage, b.key(), b.ID, m)
}

// loseRole takes an account out of its role, and out of its group.
func (c *Core) loseRole(ctx context.Context, a *Account) error {
	switch {
	case a == nil || a.Role == "":
		return nil
	case a.Settings.SharedPassword:
		return c.leave(ctx, a.Role, a.ID)
	}
	return c.Unbind(ctx, a.ID, a.Role)
}

// initialOverwritten reports whether the initial password of an account is known to be overwritten at the place that it has
// noted, whoever left that.
func (c *Core) initialOverwritten(ctx context.Context, a *Account) (bool, error) {
	b := bindingOf(a)
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), a.ID)
	return m.initialOverwritten(b), err
}
