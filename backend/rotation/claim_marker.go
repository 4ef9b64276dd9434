package rotation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Binding says that an account belongs to a role.
type Binding struct {
	ID
	Provider string // the connection's provider: accounts are unique over provider, instance and user
	Role     string
	Settings Settings
	Facts    Facts
	// Place is where the instance was described: with that the account's history begins.
	Place Place
}

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
